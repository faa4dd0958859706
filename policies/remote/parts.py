"""What the numbers of a remote vector mean, in Tandem's terms: read from an observation, or turned into joint targets.

Angles in radians, lengths in metres, unless a slot has a scale: theirs = ours * scale.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from tandem.bridge.contract import BodySpec, InvalidOption, Observation
from tandem.bridge.contract import observation as keys


class Part(StrEnum):
    """One meaning. The first two groups describe a state, all but the first group may describe an action."""

    JOINT_VELOCITY = "joint_velocity"  # (n,) rad/s
    FINGERS = "fingers"  # (2,) m, half the width between the fingers, once positive and once negative (robosuite)
    TOOL_POSE = "tool_pose"  # (7,) x y z, quaternion w x y z, base frame
    TOOL_POSITION = "tool_position"  # (3,) m
    TOOL_AXIS_ANGLE = "tool_axis_angle"  # (3,) rad
    TIME = "time"  # (1,) s, the body's clock

    JOINTS = "joint_position"  # (n,) rad, absolute
    OPENING = "gripper_opening"  # (1,) 0 closed .. 1 open
    CLOSED = "gripper_closed"  # (1,) 0 open .. 1 closed (DROID)

    JOINT_OFFSETS = "joint_offsets"  # (n,) rad from the joint positions that were observed
    JOINT_STEPS = "joint_steps"  # (n,) rad from the action before, the first from the joint positions observed
    CLOSE_SIGN = "close_sign"  # (1,) -1 open .. 1 closed (robosuite)
    TOOL_STEPS = "tool_steps"  # (6,) m and rad, base frame: the tool moves on by it from action to action (robosuite)


JOINT_PARTS = frozenset({Part.JOINTS, Part.JOINT_OFFSETS, Part.JOINT_STEPS, Part.TOOL_STEPS})
GRIPPER_PARTS = frozenset({Part.OPENING, Part.CLOSED, Part.CLOSE_SIGN})
STATE_PARTS = frozenset(Part) - {Part.JOINT_OFFSETS, Part.JOINT_STEPS, Part.CLOSE_SIGN, Part.TOOL_STEPS}
_SIZES = {
    Part.FINGERS: 2, Part.TOOL_POSE: 7, Part.TOOL_POSITION: 3, Part.TOOL_AXIS_ANGLE: 3, Part.TIME: 1, Part.OPENING: 1,
    Part.CLOSED: 1, Part.CLOSE_SIGN: 1, Part.TOOL_STEPS: 6,
}
_UNITS = {
    Part.JOINT_VELOCITY: "rad/s", Part.FINGERS: "m", Part.TOOL_POSE: "m, wxyz", Part.TOOL_POSITION: "m",
    Part.TOOL_AXIS_ANGLE: "rad", Part.TIME: "s", Part.JOINTS: "rad", Part.OPENING: "1 open", Part.CLOSED: "1 closed",
    Part.JOINT_OFFSETS: "rad from the pose observed", Part.JOINT_STEPS: "rad from the action before",
    Part.CLOSE_SIGN: "-1 open, 1 closed", Part.TOOL_STEPS: "m and rad from the action before",
}


@dataclass(frozen=True)
class Slot:
    """A part of a vector.

    Attributes:
        part: what its numbers mean.
        scale: theirs = ours * scale, one for all numbers or one for each; for example 57.29578 where they speak of
            degrees.

    Raises InvalidOption for a scale that is none.
    """

    part: Part
    scale: float | tuple[float, ...] = 1.0

    def __post_init__(self):
        scales = self.scale if isinstance(self.scale, tuple) else (self.scale,)
        if not all(isinstance(one, (int, float)) and math.isfinite(one) and one for one in scales):
            raise InvalidOption(f"{self.part}: a scale is a number other than 0, or a list of such, got {self.scale}")

    def size(self, spec: BodySpec) -> int:
        """How many numbers it has for a body."""
        return _SIZES.get(self.part, spec.dof)

    def words(self) -> str:
        """For a person: the meaning, its unit and scale."""
        scaled = "" if self.scale == 1.0 else f" times {self.scale}"
        return f"{self.part} [{_UNITS[self.part]}]{scaled}"


def measured(slot: Slot, observation: Observation, spec: BodySpec, order: np.ndarray) -> np.ndarray:
    """The numbers of a state's slot, in their unit and order.

    Args:
        slot: which.
        observation: of the body.
        spec: of the body.
        order: (n,) index of our joint for each of theirs.
    """
    opening = observation[keys.GRIPPER_OPENING]
    match slot.part:
        case Part.JOINTS | Part.JOINT_VELOCITY:
            values = observation[str(slot.part)][order]
        case Part.CLOSED:
            values = 1.0 - opening
        case Part.FINGERS:
            values = spec.gripper.max_width_m / 2 * opening * np.array([1.0, -1.0])
        case Part.TOOL_POSITION:
            values = observation[keys.TOOL_POSE][:3]
        case Part.TOOL_AXIS_ANGLE:
            values = axis_angle(observation[keys.TOOL_POSE][3:])
        case _:
            values = observation[str(slot.part)]
    return np.asarray(values, np.float64) * slot.scale


def axis_angle(quaternion: np.ndarray) -> np.ndarray:
    """(3,) axis times angle (0 to pi) of a unit quaternion w x y z."""
    w, axis = quaternion[0], np.asarray(quaternion[1:], np.float64)
    if w < 0:
        w, axis = -w, -axis
    sine = float(np.linalg.norm(axis))
    return 2.0 * axis if sine < 1e-9 else axis / sine * 2.0 * np.arctan2(sine, w)


def joint_targets(slot: Slot, values: np.ndarray, here: np.ndarray) -> np.ndarray:
    """(H, n) absolute joint positions, our unit, of an action's slot.

    Args:
        slot: one of joints.
        values: (H, n) as they came, in our order.
        here: (n,) joint positions that were observed.
    """
    ours = values / slot.scale
    if slot.part is Part.JOINT_STEPS:
        return here + np.cumsum(ours, axis=0)
    return here + ours if slot.part is Part.JOINT_OFFSETS else ours


def as_joints(slot: Slot, targets: np.ndarray, here: np.ndarray) -> np.ndarray:
    """Inverse of `joint_targets`."""
    if slot.part is Part.JOINT_STEPS:
        return np.diff(targets, axis=0, prepend=here[None]) * slot.scale
    return (targets - here if slot.part is Part.JOINT_OFFSETS else targets) * slot.scale


def openings(slot: Slot, values: np.ndarray) -> np.ndarray:
    """(H,) gripper openings, 0 closed to 1 open, of an action's slot (H, 1)."""
    ours = values[:, 0] / slot.scale
    if slot.part is Part.CLOSE_SIGN:
        return (1.0 - ours) / 2.0
    return 1.0 - ours if slot.part is Part.CLOSED else ours


def as_gripper(slot: Slot, opening: np.ndarray) -> np.ndarray:
    """Inverse of `openings`."""
    if slot.part is Part.CLOSE_SIGN:
        return (1.0 - 2.0 * opening[:, None]) * slot.scale
    return (1.0 - opening[:, None] if slot.part is Part.CLOSED else opening[:, None]) * slot.scale
