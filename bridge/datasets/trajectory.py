"""A trajectory: what a log and every dataset format have in common. Numbers are held, pictures are read one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from tandem.bridge.contract.arrays import frozen
from tandem.bridge.contract.errors import UnusableDataset
from tandem.bridge.contract.spec import BodySpec


class Frame(NamedTuple):
    """One picture on the grid: uint8 (H, W, 3) RGB, and how old it is at its step, s (0 for one of that very step)."""

    array: np.ndarray
    age_s: float = 0.0


@dataclass(frozen=True)
class View:
    """What one camera shows.

    Attributes:
        camera: its name.
        width: pixels.
        height: pixels.
        frames: begins anew at each call, and gives one frame for each row of the trajectory.
    """

    camera: str
    width: int
    height: int
    frames: Callable[[], Iterator[Frame]]

    def __post_init__(self):
        if not self.camera or "/" in self.camera or self.camera.startswith("."):
            raise UnusableDataset(f"a camera called {self.camera!r} cannot name a file: rename it")

    def checked(self, count: int) -> Iterator[Frame]:
        """The first `count` frames; raises `UnusableDataset` when there are fewer, and at one of another size."""
        frames = self.frames()
        for row in range(count):
            frame = next(frames, None)
            if frame is None:
                raise UnusableDataset(f"camera {self.camera!r} has {row} pictures for {count} rows")
            if frame.array.shape != (self.height, self.width, 3):
                raise UnusableDataset(
                    f"camera {self.camera!r} gives a picture {frame.array.shape}, its specification says "
                    f"({self.height}, {self.width}, 3)"
                )
            yield frame


@dataclass(frozen=True, eq=False)
class SimulatedStates:
    """The simulator's states of a trajectory, and the model that they belong to.

    Attributes:
        states: (T, N) float64, before each action.
        layout: what the numbers are, plain types.
        model_name: file name of the model, its ending tells the kind; empty without one.
        model: its content.
    """

    states: np.ndarray
    layout: Mapping[str, Any] = field(default_factory=dict)
    model_name: str = ""
    model: bytes = b""


@dataclass(frozen=True, eq=False)
class Trajectory:
    """One episode on the grid of its control steps: row k is what was seen at step k, and the action that answered it.

    Attributes:
        fps: rows per second.
        task: the instruction, in plain words.
        robot: the robot's name, empty when unknown.
        state_names: (n) one per element of a state.
        state: (T, n) float64, what a policy reads: joints in rad, then the gripper's opening 0..1, for Tandem's logs.
        action_names: (d) one per element of an action.
        actions: (T, d) float64, what the policy put out.
        views: the cameras.
        success: as measured; None when nobody knows.
        source: where it comes from, a file name or an episode of a dataset.
        measured: further numbers by name, each (T, m) float64: the command, velocities, the tool's pose.
        spec: of the body, None when the dataset does not hold one.
        simulation: states to replay, None without a simulator.
        origin: what else is known of where it comes from (seed, claim, ...), plain types.
        ages_s: how old the oldest value is on the grid, by channel of numbers; 0 unless steps are missing.

    Raises `UnusableDataset` when the shapes contradict one another or a number is not finite.
    """

    fps: float
    task: str
    robot: str
    state_names: tuple[str, ...]
    state: np.ndarray
    action_names: tuple[str, ...]
    actions: np.ndarray
    views: tuple[View, ...] = ()
    success: bool | None = None
    source: str = ""
    measured: Mapping[str, np.ndarray] = field(default_factory=dict)
    spec: BodySpec | None = None
    simulation: SimulatedStates | None = None
    origin: Mapping[str, Any] = field(default_factory=dict)
    ages_s: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self):
        if not (np.isfinite(self.fps) and self.fps > 0):
            raise UnusableDataset(f"{self.source}: fps must be positive, got {self.fps}")
        self._freeze("actions", (None, len(self.action_names)))
        self._freeze("state", (len(self), len(self.state_names)))
        measured = {name: self._frozen(name, values, (len(self), None)) for name, values in self.measured.items()}
        object.__setattr__(self, "measured", measured)
        if self.simulation is not None and len(self.simulation.states) != len(self):
            raise UnusableDataset(f"{self.source}: {len(self.simulation.states)} states for {len(self)} actions")

    def __len__(self) -> int:
        return len(self.actions)

    def _freeze(self, name: str, shape: tuple[int | None, ...]) -> None:
        object.__setattr__(self, name, self._frozen(name, getattr(self, name), shape))

    def _frozen(self, name: str, values: np.ndarray, shape: tuple[int | None, ...]) -> np.ndarray:
        return frozen(values, name=f"{self.source}: {name}", shape=shape, error=UnusableDataset)
