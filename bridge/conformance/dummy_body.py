"""A body without physics: a gantry whose tool is a point, for tests that run in milliseconds.

It is honest about all that the contract asks (shapes, limits, time, refusals, stale images) and models nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tandem.bridge.contract import (
    ActionSpec,
    BodySpec,
    CameraSpec,
    GripperSpec,
    InvalidAction,
    LazyObservation,
    Observation,
    StaleObservation,
    StopBehaviour,
    depth_key,
    image_key,
)

GRIPPER_RATE = 4.0  # openings per second
DEPTH_M = 0.8  # what the dummy's cameras see: a flat wall

_JOINTS = ("slide_x", "slide_y", "slide_z")
_MJCF = """<mujoco model="gantry"><worldbody><body name="x">
<joint name="slide_x" type="slide" axis="1 0 0" range="0.2 0.8"/><geom size=".01" mass="1"/>
<body name="y"><joint name="slide_y" type="slide" axis="0 1 0" range="-0.4 0.4"/><geom size=".01" mass="1"/>
<body name="z"><joint name="slide_z" type="slide" axis="0 0 1" range="0 0.6"/><geom size=".01" mass="1"/>
<site name="tool" euler="180 0 0"/></body></body></body></worldbody></mujoco>"""


def dummy_spec(*, control_hz: float = 20.0) -> BodySpec:
    """A gantry of three sliding joints (metres instead of radians) with one camera that looks straight down."""
    low, high = np.array([0.2, -0.4, 0.0]), np.array([0.8, 0.4, 0.6])
    looking_down = np.array([[0.0, -1, 0, 0.5], [-1, 0, 0, 0], [0, 0, -1, DEPTH_M], [0, 0, 0, 1]])
    intrinsics = np.array([[40.0, 0, 16], [0, 40, 12], [0, 0, 1]])
    return BodySpec(
        robot="dummy", joint_names=_JOINTS, position_low=low, position_high=high, velocity_limit=np.full(3, 0.5),
        acceleration_limit=np.full(3, 5.0), jerk_limit=np.full(3, 50.0), home=np.array([0.4, 0.0, 0.3]),
        control_hz=control_hz, cameras=(CameraSpec("front", 32, 24, intrinsics, "base", looking_down, depth=True),),
        action=ActionSpec((*_JOINTS, "gripper"), np.append(low, 0.0), np.append(high, 1.0)),
        stop=StopBehaviour.HOLD, kinematics=_MJCF, tool_site="tool",
        gripper=GripperSpec(0.08, 0.02, 0.02, 0.01, 20.0),
    )


class DummyBody:
    """Joints that move towards their target as fast as the velocity limit allows, and no further."""

    def __init__(self, spec: BodySpec | None = None):
        self.spec = dummy_spec() if spec is None else spec
        self._step: int | None = None  # None before reset and after close

    def reset(self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
              ) -> tuple[Observation, dict[str, Any]]:
        """Start near home; the seed determines where."""
        jitter = np.random.default_rng(seed).uniform(-0.01, 0.01, self.spec.dof)
        self._position = np.clip(self.spec.home + jitter, self.spec.position_low, self.spec.position_high)
        self._velocity, self._opening, self._step = np.zeros(self.spec.dof), 1.0, 0
        return self._observe(), {}

    def step(self, action: np.ndarray) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Move towards the action for one control step."""
        if self._step is None:
            raise InvalidAction("the body has not been reset, or is closed: call reset first")
        target = self.spec.action.validate(action)
        reach = self.spec.velocity_limit * self.spec.dt_s
        moved = np.clip(target[:-1] - self._position, -reach, reach)
        self._position, self._velocity = self._position + moved, moved * self.spec.control_hz
        opened = GRIPPER_RATE * self.spec.dt_s
        self._opening += float(np.clip(target[-1] - self._opening, -opened, opened))
        self._step += 1
        return self._observe(), 0.0, False, False, {}

    def close(self) -> None:
        """Refuse further steps."""
        self._step = None

    def _observe(self) -> Observation:
        measured = {
            "joint_position": self._position.copy(), "joint_velocity": self._velocity.copy(),
            "gripper_opening": np.array([self._opening]), "time": np.array([self._step * self.spec.dt_s]),
            "tool_pose": np.array([*self._position[:3], 0.0, 1.0, 0.0, 0.0]),
        }
        sources = {}
        for camera in self.spec.cameras:
            sources[image_key(camera.name)] = self._source((camera.height, camera.width, 3), np.uint8, None)
            if camera.depth:
                sources[depth_key(camera.name)] = self._source((camera.height, camera.width), np.float32, DEPTH_M)
        return LazyObservation(measured, sources)

    def _source(self, shape: tuple[int, ...], dtype: type, value: float | None):
        taken = self._step

        def read() -> np.ndarray:
            if self._step != taken:
                raise StaleObservation(f"the picture of step {taken} was not taken then; the body is at {self._step}")
            picture = np.full(shape, taken % 200 if value is None else value, dtype)
            picture[0, 0] = 255 if value is None else value  # never uniform: a uniform picture is a dead camera
            return picture

        return read
