"""Bodies for policies: specifications of the three arms, and an arm that does as it is told, without physics."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tandem.bridge.contract import BodySpec, FailureCode, SkillFailed, Target
from tandem.bridge.robots import load
from tandem.policies.motion.kinematics import Arm
from tandem.sim.cameras import DEFAULT_CAMERAS
from tandem.sim.scene import Rates
from tandem.sim.simulation import body_spec

_SPECS: dict[str, BodySpec] = {}


def _spec(robot: str) -> BodySpec:
    if robot not in _SPECS:
        _SPECS[robot] = body_spec(load(robot), Rates(), DEFAULT_CAMERAS)
    return _SPECS[robot]


@pytest.fixture
def spec_of() -> Callable[[str], BodySpec]:
    return _spec


class Puppet:
    """An arm that follows every command at once. The fingers stall on what is between them.

    Attributes:
        between_m: width of what is between the fingers, by the tool's position (3,) and time; 0 for nothing.
        frozen: it no longer moves.
        floor_m: the tool cannot go below this height.
    """

    def __init__(self, spec: BodySpec, between_m: Callable[[np.ndarray, float], float] = lambda tool, time_s: 0.0):
        self.spec, self.arm, self.between_m = spec, Arm(spec), between_m
        self.q, self.opening, self.time_s = spec.home.copy(), 1.0, 0.0
        self.frozen, self.floor_m = False, -np.inf
        self.commands: list[np.ndarray] = []

    def step(self, action: np.ndarray) -> None:
        self.commands.append(self.spec.action.validate(action))
        self.time_s += self.spec.dt_s
        if self.frozen:
            return
        if self.arm.fk(action[:-1])[2, 3] >= self.floor_m:
            self.q = np.array(action[:-1])
        stall = self.arm.jaws.opening(self.between_m(self.arm.fk(self.q)[:3, 3], self.time_s))
        self.opening = max(float(action[-1]), stall if stall > 0.01 else 0.0)

    def observe(self) -> dict[str, np.ndarray]:
        pose = self.arm.fk(self.q)
        return {
            "joint_position": self.q.copy(), "joint_velocity": np.zeros(self.spec.dof),
            "gripper_opening": np.array([self.opening]), "time": np.array([self.time_s]),
            "tool_pose": np.array([*pose[:3, 3], 0.0, 1.0, 0.0, 0.0]),
            **{
                f"image.{camera.name}": np.zeros((camera.height, camera.width, 3), np.uint8)
                for camera in self.spec.cameras
            },
            **{
                f"depth.{camera.name}": np.full((camera.height, camera.width), 5.0, np.float32)
                for camera in self.spec.cameras
            },
        }


@pytest.fixture
def puppet() -> type[Puppet]:
    return Puppet


class Known:
    """Targets from a table; a value may be a function of time."""

    privileged = True

    def __init__(self, **targets: Target | Callable[[float], Target]):
        self.targets = {name.replace("_", " "): target for name, target in targets.items()}

    def locate(self, words, point, observation) -> Target:
        if words not in self.targets:
            raise SkillFailed(FailureCode.OBJECT_NOT_FOUND, f"no {words!r}")
        target = self.targets[words]
        return target(float(observation["time"][0])) if callable(target) else target


@pytest.fixture
def known() -> type[Known]:
    return Known
