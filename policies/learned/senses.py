"""What a learned policy measures, as numbers: joints, opening, the tool, and where the subgoal's point is.

A camera point is a ray. Where it meets a plane a little above the table is where, roughly, the thing stands; seen from
the tool, that is all that reaching it takes, and the pictures say the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tandem.bridge.contract import CameraPoint, CameraSpec, Observation, Subgoal
from tandem.bridge.contract import observation as keys
from tandem.policies.learned.layouts import conjugate, rotate

PLANE_M = 0.02  # height above the table
WORDS_AT_MOST = 12
NONE, UNKNOWN = 0, 1  # words that are not there, and that are not known
RESERVED = 2
NOWHERE = np.full(3, np.nan)
NOWHERE.setflags(write=False)


def proprioception(observation: Observation) -> tuple[np.ndarray, float, np.ndarray]:
    """Measured joints (n,), opening of the gripper 0..1, and pose of the tool (7,)."""
    return (
        np.asarray(observation[keys.JOINT_POSITION], float), float(observation[keys.GRIPPER_OPENING][0]),
        np.asarray(observation[keys.TOOL_POSE], float),
    )


def on_plane(point: CameraPoint, camera: CameraSpec, T_base_camera: np.ndarray) -> np.ndarray:
    """(3,) where a camera point's ray meets the plane, base frame; NaN when it does not."""
    (fx, _, cx), (_, fy, cy), _ = camera.intrinsics
    ray = T_base_camera[:3, :3] @ np.array([(point.u - cx) / fx, (point.v - cy) / fy, 1.0])
    origin = T_base_camera[:3, 3]
    if ray[2] > -1e-3:
        return NOWHERE
    return origin + ray * (PLANE_M - origin[2]) / ray[2]


def state(q: np.ndarray, opening: np.ndarray, tool: np.ndarray, aim: np.ndarray) -> np.ndarray:
    """(..., n + 21) numbers that are not yet normalised; any leading dimensions.

    Args:
        q: (..., n) measured joints.
        opening: (...) measured, 0..1.
        tool: (..., 7) measured pose of the tool.
        aim: (..., 3) where the subgoal's point is, base frame; NaN without one.
    """
    axes = [rotate(tool[..., 3:], axis) for axis in np.eye(3)[:2]]
    yaw = np.arctan2(axes[0][..., 1], axes[0][..., 0])
    known = np.isfinite(aim).all(-1, keepdims=True)
    ahead = rotate(conjugate(tool[..., 3:]), np.where(known, aim - tool[..., :3], 0.0))
    turns = np.stack([np.sin(2 * yaw), np.cos(2 * yaw), np.sin(4 * yaw), np.cos(4 * yaw)], -1)
    return np.concatenate(
        [q, opening[..., None], tool[..., :3], *axes, turns, known, ahead, np.where(known, aim, 0.0)], -1
    )


def words_of(subgoal: Subgoal) -> list[str]:
    """The words that a policy reads: those of the arguments, by name, else of the instruction."""
    said = [text for text in subgoal.arguments.values() if isinstance(text, str)]
    return " ".join(said or [subgoal.instruction]).lower().split()[:WORDS_AT_MOST]


def numbered(words: Sequence[str]) -> dict[str, int]:
    """The index of each word that is known."""
    return {word: k + RESERVED for k, word in enumerate(words)}


def indices(said: Sequence[str], known: Mapping[str, int]) -> np.ndarray:
    """(`WORDS_AT_MOST`,) int64."""
    found = np.full(WORDS_AT_MOST, NONE, np.int64)
    found[: len(said)] = [known.get(word, UNKNOWN) for word in said]
    return found


def point_of(subgoal: Subgoal) -> CameraPoint | None:
    """The first camera point among the arguments; None without one."""
    return next((value for value in subgoal.arguments.values() if isinstance(value, CameraPoint)), None)
