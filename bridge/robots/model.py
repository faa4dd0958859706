"""A robot as data: what its maker publishes, and the MJCF text that says the same to a physics engine.

Reads the two files of a robot (`NAME.xml`, `NAME.toml`) and nothing else. It refuses to know MuJoCo: a robot's own
computer loads this module, and sends the MJCF on as text.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tandem.bridge.contract.errors import UnknownName

ROBOTS = ("panda", "ur5e", "so101")

_FOLDER = Path(__file__).parent
_LIMITS = (
    "position_low", "position_high", "velocity_limit", "acceleration_limit", "jerk_limit", "torque_limit", "home",
)  # fmt: skip


@dataclass(frozen=True)
class Gripper:
    """A two-finger gripper, driven by the one actuator called `gripper`.

    Attributes:
        joint_names: every joint that the actuator moves.
        closed: value of the actuator (metres or radians) at opening 0.
        open: value of the actuator at opening 1; linear in between, and the actuator's length reads back the same way.
        max_width_m: distance between the pads at opening 1, at the tool site.
        finger_depth_m: how far the fingertips reach beyond the tool site.
        palm_clearance_m: from the tool site back to the palm; taller objects would touch it.
        finger_width_m: width of a finger across the closing direction.
        finger_thickness_m: size of a finger along the closing direction.
        pad_size_m: a pad's extent across the closing direction, and along the approach.
        force_n: force of either pad on an object.
        fixed_pad_m: distance from the tool site to the pad that does not move, on the site's negative y: an object
            centred at the tool must be narrower than twice this. None where both pads move.
    """

    joint_names: tuple[str, ...]
    closed: float
    open: float
    max_width_m: float
    finger_depth_m: float
    palm_clearance_m: float
    finger_width_m: float
    finger_thickness_m: float
    pad_size_m: tuple[float, float]
    force_n: float
    fixed_pad_m: float | None = None

    def command(self, opening: float) -> float:
        """Actuator value for an opening between 0 and 1."""
        return self.closed + opening * (self.open - self.closed)

    def opening(self, value: float) -> float:
        """Opening for an actuator value; slightly outside 0 to 1 when the fingers press on their stops."""
        return (value - self.closed) / (self.open - self.closed)


@dataclass(frozen=True)
class Workspace:
    """Where on the base plane z = 0 the gripper, pointing down, reaches with a margin from every joint limit.

    A ring sector around the base's z axis.

    Attributes:
        reach_min_m: inner radius.
        reach_max_m: outer radius.
        azimuth_low: rad, clockwise end; 0 is straight ahead.
        azimuth_high: rad, counter-clockwise end.
        height_max_m: how high above the table the tool gets everywhere in it, still pointing down.
    """

    reach_min_m: float
    reach_max_m: float
    azimuth_low: float
    azimuth_high: float
    height_max_m: float

    def contains(self, x: float, y: float) -> bool:
        """Whether a point of the base plane lies within."""
        reach, azimuth = np.hypot(x, y), np.arctan2(y, x)
        return bool(self.reach_min_m <= reach <= self.reach_max_m and self.azimuth_low <= azimuth <= self.azimuth_high)


@dataclass(frozen=True, eq=False)
class WristCamera:
    """The camera on the hand.

    Attributes:
        mount: the link that carries it.
        fovy: vertical field of view, radians.
        T_mount_camera: (4, 4) its pose in that link; x right, y down, z forward.
    """

    mount: str
    fovy: float
    T_mount_camera: np.ndarray


@dataclass(frozen=True, eq=False)
class Robot:
    """One robot. Arrays are (n,), read-only, in wire order, in SI units and radians.

    Attributes:
        name: as given to `load`.
        title: as people call it.
        mjcf: its kinematics, masses, outlines and actuators; the joints' actuators in wire order, then `gripper`.
        joint_names: the joints of the arm, in wire order.
        home: a pose out of the way, the hand over the table and pointing down.
        stop_behaviour: what it does when it is told to stop.
        notes: masses, payload, and which figures are no maker's.
        tool_site: the site between the fingertips; z along the approach, y along the closing direction.
    """

    name: str
    title: str
    mjcf: str
    joint_names: tuple[str, ...]
    position_low: np.ndarray
    position_high: np.ndarray
    velocity_limit: np.ndarray
    acceleration_limit: np.ndarray
    jerk_limit: np.ndarray
    torque_limit: np.ndarray
    home: np.ndarray
    gripper: Gripper
    workspace: Workspace
    wrist_camera: WristCamera
    stop_behaviour: str
    notes: str
    tool_site: str = "tool"


def _array(value: Any) -> np.ndarray:
    array = np.array(value, dtype=np.float64)
    array.flags.writeable = False
    return array


def _gripper(table: dict[str, Any]) -> Gripper:
    return Gripper(**{**table, "joint_names": tuple(table["joint_names"]), "pad_size_m": tuple(table["pad_size_m"])})


@cache
def load(name: str) -> Robot:
    """Read a robot.

    Args:
        name: one of `ROBOTS`.

    Raises:
        UnknownName: there is no such robot.
    """
    if name not in ROBOTS:
        raise UnknownName("robot", name, ROBOTS)
    table = tomllib.loads((_FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    camera = table["wrist_camera"]
    return Robot(
        name=name,
        title=table["title"],
        mjcf=(_FOLDER / f"{name}.xml").read_text(encoding="utf-8"),
        joint_names=tuple(table["joint_names"]),
        **{field: _array(table[field]) for field in _LIMITS},
        gripper=_gripper(table["gripper"]),
        workspace=Workspace(**table["workspace"]),
        wrist_camera=WristCamera(camera["mount"], camera["fovy"], _array(camera["T_mount_camera"])),
        stop_behaviour=table["stop_behaviour"],
        notes=table["notes"],
    )
