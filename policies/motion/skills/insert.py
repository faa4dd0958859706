"""Push the held peg into a hole: down until it slides in, feeling around where it stands on the rim."""

from __future__ import annotations

import numpy as np

from tandem.bridge.contract import FailureCode, SkillFailed, Subgoal, Target
from tandem.policies.motion.closer import second_look
from tandem.policies.motion.memory import Held
from tandem.policies.motion.motion import Moves
from tandem.policies.motion.mover import Mover
from tandem.policies.motion.pose import at_height, moved
from tandem.policies.motion.skills.place import aligned, carry, let_go, unknown

_ABOVE_M = 0.004  # the peg's foot over the mouth before it feels its way
_FLOOR_M = 0.002  # the foot stays this far above the bottom
_CONTACT_M = 0.002  # behind its command by this much, the peg stands on something
_IN_M = 0.004  # a foot this far below the mouth is in the hole
_ENOUGH = 0.65  # of the hole's depth counts as inserted
_PRESS_M = 0.003  # commanded below the contact while it feels around
_PITCH_M, _STEP_M = 0.0006, 0.0008  # of the spiral
_RIM_CLEARANCE_M = 0.002


def insert(mover: Mover, subgoal: Subgoal) -> Moves:
    """A look from near, over the hole, down; a spiral where it does not go in; let go, up.

    Fails with INSERT_FAILED, OBJECT_LOST, OBJECT_NOT_FOUND or UNREACHABLE.
    """
    mover.require_held("insert")
    target = yield from mover.find(subgoal, "target")
    held = mover.memory.held or unknown(mover)
    way = aligned(mover, target, held, float(target.surface[2]) + held.below_m)
    words = str(subgoal.arguments["target"])
    target = yield from second_look(mover, words, target, held, way.above)
    way = aligned(mover, target, held, float(target.surface[2]) + held.below_m)
    mouth = way.goal
    yield from carry(mover, way)
    yield from mover.line(moved(mouth, np.array([0.0, 0.0, _ABOVE_M])), "insert")
    yield from mover.settle("insert")
    bottom = _lowest(mover, target, held)
    for offset in spiral(mover.search_m):
        if _depth(mover, target, held) > _IN_M:
            break
        phase = "feel" if offset.any() else "insert"
        yield from _feel(mover, moved(mouth, np.array([*offset, 0.0])), target, held, phase)
    yield from _down(mover, at_height(mover.pose, bottom))
    yield from mover.keep_holding("insert")
    depth = _depth(mover, target, held)
    goal = mover.measured_pose
    yield from let_go(mover, held, goal, float(way.above[2, 3]))
    if depth < _IN_M:
        raise SkillFailed(FailureCode.INSERT_FAILED, "the peg stands on the rim; feeling around found no hole")


def _lowest(mover: Mover, target: Target, held: Held) -> float:
    """Height of the tool at the end: the foot at the hole's bottom, or the fingertips at the mouth."""
    mouth, depth = float(target.surface[2]), float(target.size[2])
    return max(
        mouth - depth + _FLOOR_M + held.below_m, mouth + mover.spec.gripper.finger_depth_m + _RIM_CLEARANCE_M
    )


def _depth(mover: Mover, target: Target, held: Held) -> float:
    """How far the foot is below the mouth, as measured, m."""
    return float(target.surface[2]) - (float(mover.measured_pose[2, 3]) - held.below_m)


def spiral(widest_m: float) -> list[np.ndarray]:
    """(2,) offsets from the middle outward to a radius, evenly spaced along an Archimedean spiral."""
    offsets, angle = [np.zeros(2)] * 2, 0.0  # and a third, below: in the middle it takes more than one press to be in
    while _PITCH_M * angle / (2 * np.pi) < widest_m:
        radius = _PITCH_M * angle / (2 * np.pi)
        offsets.append(radius * np.array([np.cos(angle), np.sin(angle)]))
        angle += min(1.0, _STEP_M / max(radius, 1e-6))
    return offsets


def _feel(mover: Mover, mouth: np.ndarray, target: Target, held: Held, phase: str) -> Moves:
    """Slide to a place of the rim while pressing lightly; go on down as soon as the foot drops in."""
    pressing = min(float(mover.measured_pose[2, 3]), float(mouth[2, 3])) - _PRESS_M
    yield from mover.line(
        at_height(mouth, pressing), phase, speed_m_s=mover.pace.contact_m_s, look=2, loaded=True,
        until=lambda: _depth(mover, target, held) > _IN_M,
    )
    yield from mover.hold(1, phase, loaded=True)


def _down(mover: Mover, goal: np.ndarray) -> Moves:
    yield from mover.line(
        goal, "insert", speed_m_s=mover.pace.contact_m_s * 1.5, look=2, loaded=True,
        until=lambda: mover.lag_m[2] > 3 * _CONTACT_M,
    )
    yield from mover.hold(3, "insert", loaded=True)
