"""Grasp an object from above and lift it."""

from __future__ import annotations

import numpy as np

from tandem.bridge.contract import FailureCode, SkillFailed, Subgoal, Target
from tandem.policies.motion import grasp as grasping
from tandem.policies.motion.memory import Held
from tandem.policies.motion.motion import Moves
from tandem.policies.motion.mover import Mover

_MOVED_M, _TURNED_RAD = 0.004, 0.06


def pick(mover: Mover, subgoal: Subgoal) -> Moves:
    """Above it, down, close, lift. Fails with GRASP_FAILED, OBJECT_LOST, OBJECT_NOT_FOUND or UNREACHABLE."""
    words = str(subgoal.arguments["object"])
    mover.require_empty("pick")
    target = mover.locate(subgoal, "object")
    clutter = mover.clutter(target)
    grasp = grasping.choose(target, mover.arm, mover.q, clutter)
    yield from mover.travel(grasp.hover, "approach", seed=grasp.q, opening=grasp.opening)
    for _ in range(3):
        yield from mover.settle("approach")
        before, target = target, mover.locate(subgoal, "object")
        if not _has_moved(before, target):
            break
        grasp = grasping.choose(target, mover.arm, mover.q, clutter)
        yield from mover.travel(grasp.hover, "approach", seed=grasp.q, opening=grasp.opening)
    yield from mover.open_hand("approach", grasp.opening)
    yield from mover.line(grasp.pose, "descend", speed_m_s=mover.pace.line_m_s / 2)
    yield from mover.settle("descend")
    yield from mover.close_hand("grasp")
    _require_grasped(mover, grasp, words)
    bottom = float(target.surface[2] - target.size[2])
    below = float(grasp.pose[2, 3]) - bottom
    aside = mover.arm.jaws.centre(grasp.width_m)
    mover.memory.take(Held(words, below, np.array(target.size), grasp.yaw_offset_rad, aside))
    yield from mover.rise(float(grasp.hover[2, 3]), "lift")
    yield from mover.settle("lift")
    mover.require_still_held("lift")


def _has_moved(before: Target, now: Target) -> bool:
    shifted = float(np.linalg.norm(now.surface - before.surface)) > _MOVED_M
    turn = (now.yaw_rad - before.yaw_rad + np.pi / 4) % (np.pi / 2) - np.pi / 4
    return shifted or abs(turn) > _TURNED_RAD


def _require_grasped(mover: Mover, grasp: grasping.Grasp, words: str) -> None:
    if not mover.holding or mover.width_m < 0.4 * grasp.width_m:
        raise SkillFailed(
            FailureCode.GRASP_FAILED,
            f"the fingers closed to {mover.width_m * 1e3:.0f} mm where {words!r} is {grasp.width_m * 1e3:.0f} mm wide",
        )
