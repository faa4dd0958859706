"""What a body says about itself before anything moves."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from tandem.bridge.contract.action import ActionKind, ActionSpec
from tandem.bridge.contract.arrays import frozen
from tandem.bridge.contract.errors import InvalidSpec, UnknownName

_NUMBERS, _ROUNDING = (int, float), 1e-9


class StopBehaviour(StrEnum):
    """What a body does when it is told to stop, or hears nothing."""

    HOLD = "hold"  # keep the last position
    DECELERATE_HOLD = "decelerate_hold"  # controlled deceleration, then hold
    DAMP = "damp"  # viscous
    BRAKE = "brake"  # mechanical brakes
    TORQUE_OFF = "torque_off"  # the arm may drop


@dataclass(frozen=True, eq=False)
class CameraSpec:
    """One camera.

    Attributes:
        name: as used in `image.<name>` and in camera points.
        width: pixels.
        height: pixels.
        intrinsics: (3, 3) pinhole matrix, pixels.
        mount: the link that carries it, or "base" for a camera that stands still.
        T_mount_camera: (4, 4) pose of the camera in its mount's frame; x right, y down, z forward.
        depth: whether `depth.<name>` is given.
    """

    name: str
    width: int
    height: int
    intrinsics: np.ndarray
    mount: str
    T_mount_camera: np.ndarray
    depth: bool = False

    def __post_init__(self):
        if self.width < 1 or self.height < 1:
            raise InvalidSpec(f"camera {self.name!r} has size {self.width}x{self.height}")
        for name, shape in (("intrinsics", (3, 3)), ("T_mount_camera", (4, 4))):
            array = frozen(getattr(self, name), name=f"camera {self.name} {name}", shape=shape, error=InvalidSpec)
            object.__setattr__(self, name, array)
        rotation = self.T_mount_camera[:3, :3]
        if not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-6) or np.linalg.det(rotation) < 0:
            raise InvalidSpec(f"camera {self.name!r}: T_mount_camera holds no rotation")

    def to_dict(self) -> dict[str, Any]:
        """Plain types only."""
        return {
            "name": self.name, "width": self.width, "height": self.height, "intrinsics": self.intrinsics.tolist(),
            "mount": self.mount, "T_mount_camera": self.T_mount_camera.tolist(), "depth": self.depth,
        }


@dataclass(frozen=True)
class GripperSpec:
    """A gripper whose opening runs from 0 (closed) to 1 (open).

    Attributes:
        max_width_m: distance between the fingertips at opening 1.
        finger_depth_m: how far the fingertips reach beyond the tool site.
        finger_width_m: width of a finger across the closing direction.
        finger_thickness_m: size of a finger along the closing direction.
        force_n: nominal grip force.
    """

    max_width_m: float
    finger_depth_m: float
    finger_width_m: float
    finger_thickness_m: float
    force_n: float

    def __post_init__(self):
        for name, value in vars(self).items():
            if not (np.isfinite(value) and value > 0):
                raise InvalidSpec(f"gripper {name} must be positive, got {value}")


_JOINT_ARRAYS = (
    "position_low", "position_high", "velocity_limit", "acceleration_limit", "jerk_limit", "home",
)


@dataclass(frozen=True, eq=False)
class BodySpec:
    """Everything that an agent, a policy or a safety filter must know of a body.

    Attributes:
        robot: the robot's name.
        joint_names: (n) in wire order.
        position_low: (n,) rad.
        position_high: (n,) rad.
        velocity_limit: (n,) rad/s.
        acceleration_limit: (n,) rad/s^2.
        jerk_limit: (n,) rad/s^3.
        home: (n,) rest pose, rad.
        control_hz: control steps per second.
        cameras: in order of preference for looking at the task.
        action: the layout of an action.
        stop: the declared stop behaviour.
        kinematics: MJCF text of the robot alone, base frame at the origin, z up, table top at z = 0.
        tool_site: the site in it between the fingertips, z along the approach, y along the closing direction.
        gripper: its gripper, None for a body without one.
    """

    robot: str
    joint_names: tuple[str, ...]
    position_low: np.ndarray
    position_high: np.ndarray
    velocity_limit: np.ndarray
    acceleration_limit: np.ndarray
    jerk_limit: np.ndarray
    home: np.ndarray
    control_hz: float
    cameras: tuple[CameraSpec, ...]
    action: ActionSpec
    stop: StopBehaviour
    kinematics: str
    tool_site: str
    gripper: GripperSpec | None

    def __post_init__(self):
        names = tuple(self.joint_names)
        if not names or len(set(names)) != len(names):
            raise InvalidSpec(f"joint names must be given and differ from one another: {names}")
        object.__setattr__(self, "joint_names", names)
        object.__setattr__(self, "cameras", tuple(self.cameras))
        if self.stop not in list(StopBehaviour):
            raise InvalidSpec(f"no stop behaviour is called {self.stop!r}; there are {', '.join(StopBehaviour)}")
        object.__setattr__(self, "stop", StopBehaviour(self.stop))
        for name in _JOINT_ARRAYS:
            array = frozen(getattr(self, name), name=name, shape=(len(names),), error=InvalidSpec)
            object.__setattr__(self, name, array)
        self._check_limits()

    def _check_limits(self) -> None:
        if not np.all(self.position_low < self.position_high):
            raise InvalidSpec("position_low must be below position_high for every joint")
        for name in ("velocity_limit", "acceleration_limit", "jerk_limit"):
            if not np.all(getattr(self, name) > 0):
                raise InvalidSpec(f"{name} must be positive for every joint")
        if not np.all((self.home >= self.position_low) & (self.home <= self.position_high)):
            raise InvalidSpec("home lies outside the joint range")
        if not (np.isfinite(self.control_hz) and self.control_hz > 0):
            raise InvalidSpec(f"control_hz must be positive, got {self.control_hz}")
        if self.action.kind is ActionKind.JOINT_POSITION_GRIPPER:
            self._check_action()
        if len({camera.name for camera in self.cameras}) != len(self.cameras):
            raise InvalidSpec("camera names must differ from one another")

    def _check_action(self) -> None:
        """An action is laid out as the joints are, and allows nothing that they do not."""
        layout = (*self.joint_names, "gripper")
        if self.action.names != layout:
            raise InvalidSpec(f"an action of kind {self.action.kind} is laid out as {layout}, not {self.action.names}")
        low, high = np.append(self.position_low, 0.0), np.append(self.position_high, 1.0)
        outside = (self.action.low < low) | (self.action.high > high)
        if outside.any():
            i = int(np.argmax(outside))
            raise InvalidSpec(f"action bounds of {layout[i]!r} go beyond its range [{low[i]:.6g}, {high[i]:.6g}]")

    @property
    def dt_s(self) -> float:
        """Seconds per control step."""
        return 1.0 / self.control_hz

    @property
    def dof(self) -> int:
        """Number of arm joints, n."""
        return len(self.joint_names)

    def camera(self, name: str) -> CameraSpec:
        """The camera of that name, or `UnknownName` listing those that exist."""
        for camera in self.cameras:
            if camera.name == name:
                return camera
        raise UnknownName("camera", name, [camera.name for camera in self.cameras])

    def to_dict(self) -> dict[str, Any]:
        """Plain types only, for the wire and for logs."""
        return {
            "robot": self.robot, "joint_names": list(self.joint_names),
            **{name: getattr(self, name).tolist() for name in _JOINT_ARRAYS},
            "control_hz": self.control_hz, "cameras": [camera.to_dict() for camera in self.cameras],
            "action": self.action.to_dict(), "stop": str(self.stop), "kinematics": self.kinematics,
            "tool_site": self.tool_site, "gripper": None if self.gripper is None else dict(vars(self.gripper)),
        }

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> BodySpec:
        """Inverse of `to_dict`; raises `InvalidSpec` naming a field that is missing or unknown."""
        try:
            values = dict(fields)
            values["cameras"] = tuple(CameraSpec(**camera) for camera in values["cameras"])
            values["action"] = ActionSpec.from_dict(values["action"])
            values["gripper"] = None if values["gripper"] is None else GripperSpec(**values["gripper"])
            return cls(**values)
        except (KeyError, TypeError, ValueError) as reason:
            raise InvalidSpec(f"no body specification: {reason}") from reason

    def digest(self) -> str:
        """sha256 of the canonical JSON, hex: equal specifications have equal digests."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()

    def differences(self, other: BodySpec) -> list[str]:
        """One line for each field in which two specifications differ; empty when they agree.

        Numbers agree within 1e-9 of their unit or of themselves: one kind of processor rounds a camera's pose in its
        last bit otherwise than another.
        """
        mine, theirs = self.to_dict(), other.to_dict()
        return [
            f"{name}: {_short(mine[name])} here, {_short(theirs[name])} there"
            for name in mine
            if not _agree(mine[name], theirs[name])
        ]


def _agree(one: Any, other: Any) -> bool:
    """Whether two plain values are the same but for rounding."""
    if isinstance(one, _NUMBERS) and isinstance(other, _NUMBERS):
        return math.isclose(one, other, rel_tol=_ROUNDING, abs_tol=_ROUNDING)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_agree(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_agree, one, other))
    return one == other


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
