"""Slide an object over the table to a place, with closed fingers."""

from __future__ import annotations

from collections.abc import Generator
from typing import Protocol, runtime_checkable

import numpy as np

from tandem.bridge.contract import CameraPoint, FailureCode, Observation, SkillFailed, Subgoal, Target
from tandem.policies.motion import grasp as grasping
from tandem.policies.motion.motion import Motion, Moves
from tandem.policies.motion.mover import Mover
from tandem.policies.motion.pose import at_height, top_down

_NEAR_M = 0.015  # from the place: done
_BEHIND_M = 0.02  # between the fingers and the object before a push
_HOVER_M = 0.06
_TRIES = 4


@runtime_checkable
class Spotting(Protocol):
    """A source of targets that also knows bare places: the table has no outline to be recognised by."""

    def spot(self, words: str, point: CameraPoint, observation: Observation) -> Target:
        """The thing at a camera point, or the point itself. Raises `SkillFailed` (`OBJECT_NOT_FOUND`)."""


def push(mover: Mover, subgoal: Subgoal) -> Moves:
    """Behind it, down, along, up; again if it went astray. Fails with ACTUATION_FAILED when it does not arrive."""
    mover.require_empty("push")
    place = (yield from _destination(mover, subgoal)).surface
    for _ in range(_TRIES):
        target = yield from mover.find(subgoal, "object")
        way = place[:2] - target.surface[:2]
        if np.linalg.norm(way) < _NEAR_M:
            return
        yield from _shove(mover, target, way)
        mover.doubt(str(subgoal.arguments["object"]))  # wherever it is now: it has to be seen there
        yield from mover.hold(6, "look")
    target = yield from mover.find(subgoal, "object")
    missing = float(np.linalg.norm(place[:2] - target.surface[:2]))
    if missing > 2 * _NEAR_M:
        raise SkillFailed(FailureCode.ACTUATION_FAILED, f"the object is still {missing:.2f} m away from its place")


def _destination(mover: Mover, subgoal: Subgoal) -> Generator[Motion, None, Target]:
    """Where to: a thing, or a bare place; from the rest pose when the arm hides it."""
    point, words = subgoal.arguments.get("to"), str(subgoal.arguments["target"])
    if not (isinstance(point, CameraPoint) and isinstance(mover.targets, Spotting)):
        return (yield from mover.find(subgoal, "target", "to"))
    try:
        return mover.targets.spot(words, point, mover.observation)
    except SkillFailed:
        yield from mover.rest("look")
        return mover.targets.spot(words, point, mover.observation)


def _shove(mover: Mover, target: Target, way: np.ndarray) -> Moves:
    gripper = mover.spec.gripper
    distance = float(np.linalg.norm(way))
    ahead = way / distance
    reach = _half_extent(target, ahead) + gripper.finger_width_m / 2
    tip = max(float(target.surface[2]) - 0.7 * float(target.size[2]), grasping.TIP_ABOVE_TABLE_M)
    height, along = tip + gripper.finger_depth_m, float(np.arctan2(ahead[0], -ahead[1]))
    start = target.surface[:2] - ahead * (reach + _BEHIND_M)
    begin = top_down(np.array([*start, height]), along)
    hover = float(target.rim_z_m) + gripper.finger_depth_m + _HOVER_M
    yield from mover.travel(at_height(begin, hover), "approach", opening=0.0)
    yield from mover.close_hand("approach")
    yield from mover.line(begin, "descend")
    end = np.array([*(target.surface[:2] + way - ahead * reach), height])
    yield from mover.line(top_down(end, along), "push", speed_m_s=mover.pace.careful_m_s, loaded=True)
    yield from mover.rise(hover, "retreat", loaded=True)


def _half_extent(target: Target, direction: np.ndarray) -> float:
    """From the middle of the target to its border along a direction (2,) of the plane, at most."""
    axis = np.array([np.cos(target.yaw_rad), np.sin(target.yaw_rad)])
    share = abs(direction @ axis), abs(direction @ np.array([-axis[1], axis[0]]))
    return float(min(extent / 2 / max(part, 1e-6) for extent, part in zip(target.size[:2], share, strict=True)))
