"""What a learned policy measures, as numbers: joints, opening, the tool, and where the subgoal's point is.

A camera point is a ray. Where it meets a plane a little above the table is where, roughly, the thing stands; seen from
the tool, that is all that reaching it takes, and the pictures say the rest.
"""

from __future__ import annotations

import numpy as np

from tandem.bridge.contract import CameraPoint, CameraSpec, Observation, Subgoal
from tandem.bridge.contract import observation as keys
from tandem.policies.learned.layouts import conjugate, matrix, rotate

PLANE_M = 0.02  # height above the table
WORDS_AT_MOST = 12
NONE, UNKNOWN = 0, 1  # words that are not there, and that are not known
RESERVED = 2


def proprioception(observation: Observation) -> tuple[np.ndarray, float, np.ndarray]:
    """Measured joints (n,), opening of the gripper 0..1, and pose of the tool (7,)."""
    return (
        np.asarray(observation[keys.JOINT_POSITION], float), float(observation[keys.GRIPPER_OPENING][0]),
        np.asarray(observation[keys.TOOL_POSE], float),
    )


def on_plane(point: CameraPoint, camera: CameraSpec, T_base_camera: np.ndarray) -> np.ndarray | None:
    """(3,) where a camera point's ray meets the plane, base frame; None when it does not."""
    (fx, _, cx), (_, fy, cy), _ = camera.intrinsics
    ray = T_base_camera[:3, :3] @ np.array([(point.u - cx) / fx, (point.v - cy) / fy, 1.0])
    origin = T_base_camera[:3, 3]
    if ray[2] > -1e-3:
        return None
    return origin + ray * (PLANE_M - origin[2]) / ray[2]


def state(q: np.ndarray, opening: float, tool: np.ndarray, aim: np.ndarray | None) -> np.ndarray:
    """(n + 21,) numbers that are not yet normalised.

    Args:
        q: (n,) measured joints.
        opening: measured, 0..1.
        tool: (7,) measured pose of the tool.
        aim: (3,) where the subgoal's point is, base frame; None without one.
    """
    rotation = matrix(tool[3:])
    yaw = np.arctan2(rotation[1, 0], rotation[0, 0])
    known = aim is not None
    aim = tool[:3] if aim is None else aim
    ahead = rotate(conjugate(tool[3:]), aim - tool[:3])
    turns = [np.sin(2 * yaw), np.cos(2 * yaw), np.sin(4 * yaw), np.cos(4 * yaw)]
    return np.concatenate([
        q, [opening], tool[:3], rotation[:, :2].T.ravel(), turns, [known], ahead, aim if known else np.zeros(3),
    ])


def words_of(subgoal: Subgoal) -> list[str]:
    """The words that a policy reads: those of the arguments, by name, else of the instruction."""
    said = [text for text in subgoal.arguments.values() if isinstance(text, str)]
    return " ".join(said or [subgoal.instruction]).lower().split()[:WORDS_AT_MOST]


def point_of(subgoal: Subgoal) -> CameraPoint | None:
    """The first camera point among the arguments; None without one."""
    return next((value for value in subgoal.arguments.values() if isinstance(value, CameraPoint)), None)
