"""What comes back out of a log."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Measurement:
    """What the body measured after step `index`; -1 is the measurement that the episode began with.

    Attributes:
        index: the control step, from 0.
        time_s: body time.
        joint_position: (n,) rad.
        joint_velocity: (n,) rad/s.
        gripper_opening: (1,) 0 closed .. 1 open.
        tool_pose: (7,) m and quaternion wxyz, in the base frame.
    """

    index: int
    time_s: float
    joint_position: np.ndarray
    joint_velocity: np.ndarray
    gripper_opening: np.ndarray
    tool_pose: np.ndarray


@dataclass(frozen=True, eq=False)
class LoggedStep:
    """One control step.

    Attributes:
        index: from 0.
        time_s: body time of the observation that the action answers.
        action: (d,) what the policy put out.
        command: (d,) what the body carried out, after safety.
        measured: what the body measured after it.
        phase: what the policy said it was doing.
        subgoal: index of the attempt, -1 outside one.
        held: the body merely went on under its last command.
        wall_time: seconds since 1970.
    """

    index: int
    time_s: float
    action: np.ndarray
    command: np.ndarray
    measured: Measurement
    phase: str
    subgoal: int
    held: bool
    wall_time: float


@dataclass(frozen=True, eq=False)
class Picture:
    """An image uint8 (H, W, 3) RGB, or a depth map float32 (H, W) in metres, at a body time.

    `digest` is the sha256 of the very array that was looked at, hex: a JPEG is only close to it, a PNG equal.
    """

    time_s: float
    array: np.ndarray
    digest: str
