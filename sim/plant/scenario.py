"""What plant and eyes build the same world from, each in its own process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tandem.bridge.contract import BodySpec
from tandem.bridge.robots import load
from tandem.sim.cameras import CameraRequest
from tandem.sim.disturbances import Disturbance, disturbance_named
from tandem.sim.scene import Rates
from tandem.sim.simulation import Simulation, body_spec
from tandem.sim.tasks import Wish, task_named


@dataclass(frozen=True)
class Scenario:
    """A task for a robot, and what goes wrong.

    Attributes:
        task: by name.
        robot: by name.
        difficulty: 0 easy to 1 hard.
        disturb: disturbances as on the command line.
        tick_hz: physics steps per second.
        control_hz: how often tasks and disturbances look at the world, per second.
        cameras: that the body offers.
    """

    task: str
    robot: str
    difficulty: float
    disturb: tuple[str, ...]
    tick_hz: float
    control_hz: float
    cameras: tuple[CameraRequest, ...]

    @property
    def rates(self) -> Rates:
        """Of physics and control. Raises `InvalidOption`."""
        return Rates(self.tick_hz, self.control_hz)

    @property
    def dof(self) -> int:
        """Joints of the arm."""
        return len(load(self.robot).joint_names)

    def spec(self) -> BodySpec:
        """The body's, the same as a `Simulation`'s. Raises what is wrong with the scenario before anything starts."""
        task_named(self.task)
        Wish(self.difficulty)
        self.disturbances()
        return body_spec(load(self.robot), self.rates, self.cameras)

    def disturbances(self) -> list[Disturbance]:
        """New ones."""
        return [disturbance_named(name) for name in self.disturb]

    def simulation(self, cameras: Sequence[CameraRequest], disturbances: Sequence[Disturbance]) -> Simulation:
        """A new one, with the cameras and the disturbances that a process needs."""
        return Simulation(
            task_named(self.task), load(self.robot), rates=self.rates, cameras=cameras,
            wish=Wish(self.difficulty), disturbances=disturbances,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain types only."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Scenario:
        """Inverse of `to_dict`."""
        cameras = tuple(CameraRequest(**camera) for camera in fields["cameras"])
        return cls(**{**fields, "cameras": cameras, "disturb": tuple(fields["disturb"])})


def changes(disturbance: Disturbance, what: str) -> bool:
    """Whether a disturbance has a method `command`, `measured` or `picture` of its own."""
    return getattr(type(disturbance), what) is not getattr(Disturbance, what)


def shows(disturbance: Disturbance) -> bool:
    """Whether it acts on pictures, by itself or through the model that they are rendered from."""
    return disturbance.alters_view or changes(disturbance, "picture")


def for_plant(disturbances: Sequence[Disturbance]) -> list[Disturbance]:
    """Those that act on the world, commands or measurements; in the others' places some that do nothing.

    Each is drawn from a generator of its own by its place, so the places must stay.
    """
    return [
        d if changes(d, "command") or changes(d, "measured") or not shows(d) else Disturbance()
        for d in disturbances
    ]


def for_eyes(disturbances: Sequence[Disturbance]) -> list[Disturbance]:
    """Those that act on pictures; in the others' places some that do nothing."""
    return [d if shows(d) else Disturbance() for d in disturbances]
