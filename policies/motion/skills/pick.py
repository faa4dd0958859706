"""Grasp an object from above and lift it; one that moves is met on its way."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from tandem.bridge.contract import FailureCode, SkillFailed, Subgoal, Target
from tandem.policies.motion import grasp as grasping
from tandem.policies.motion.clutter import Clutter
from tandem.policies.motion.grasp import Grasp
from tandem.policies.motion.memory import Held
from tandem.policies.motion.motion import Motion, Moves
from tandem.policies.motion.mover import Mover
from tandem.policies.motion.moving import Watch
from tandem.policies.motion.skills.intercept import intercept

_MOVED_M, _TURNED_RAD = 0.004, 0.06
_THINNER = 0.4  # of the width that was expected: that is no grasp of it
_ARRIVAL_S = 1.5  # from deciding on a grasp to hovering over it
_WAIT_STEPS, _GLANCE_STEPS, _TRIES = 8, 4, 4


def pick(mover: Mover, subgoal: Subgoal) -> Moves:
    """Above it, down, close, lift. Fails with GRASP_FAILED, OBJECT_LOST, OBJECT_NOT_FOUND or UNREACHABLE."""
    mover.require_empty("pick")
    watch = yield from Watch.begin(mover, subgoal)
    clutter = mover.clutter(watch.target)
    grasp = yield from _approach(mover, watch, clutter)
    if watch.moves:
        grasp = yield from intercept(mover, watch, grasp)
    else:
        yield from mover.line(grasp.pose, "descend", speed_m_s=mover.pace.line_m_s / 2)
        yield from mover.settle("descend")
        yield from mover.close_hand("grasp")
    yield from _check_grasp(mover, grasp, str(subgoal.arguments["object"]))
    mover.memory.take(_held(mover, subgoal, watch.target, grasp))
    yield from mover.rise(float(grasp.hover[2, 3]), "lift")
    yield from mover.settle("lift")
    yield from mover.keep_holding("lift")


def _approach(mover: Mover, watch: Watch, clutter: Clutter) -> Generator[Motion, None, Grasp]:
    """Hover over the object; again if it has moved meanwhile. Gives the grasp that was decided on."""
    for _ in range(_TRIES):
        aim, grasp = yield from _decided(mover, watch, clutter)
        yield from mover.travel(
            grasp.hover, "approach", seed=grasp.q, opening=grasp.opening, look=_GLANCE_STEPS, until=watch.glance
        )
        yield from mover.settle("approach")
        watch.look()
        if watch.moves:  # or was moved once: two more looks tell
            yield from mover.hold(_GLANCE_STEPS, "approach")
            watch.look()
        if watch.moves or not _has_moved(aim, watch.target):
            break
    yield from mover.open_hand("approach", grasp.opening)
    return grasp


def _decided(mover: Mover, watch: Watch, clutter: Clutter) -> Generator[Motion, None, tuple[Target, Grasp]]:
    """Where the object will be, and a grasp there; one that comes into reach is waited for, one that rests is not."""
    while True:
        aim = watch.expected(_ARRIVAL_S)
        try:
            return aim, grasping.choose(aim, mover.arm, mover.q, clutter)
        except SkillFailed as failure:
            if failure.code is not FailureCode.UNREACHABLE:
                raise
            yield from mover.hold(_WAIT_STEPS, "wait")
            watch.look()
            if not watch.moves:
                raise failure from None


def _has_moved(before: Target, now: Target) -> bool:
    shift = float(np.linalg.norm(now.surface - before.surface)) > _MOVED_M
    turn = (now.yaw_rad - before.yaw_rad + np.pi / 4) % (np.pi / 2) - np.pi / 4
    return shift or abs(turn) > _TURNED_RAD


def _check_grasp(mover: Mover, grasp: Grasp, words: str) -> Moves:
    if not mover.holding or mover.width_m < _THINNER * grasp.width_m:
        mover.doubt(words)
        closed, wide = mover.width_m * 1e3, grasp.width_m * 1e3
        yield from mover.give_up(
            FailureCode.GRASP_FAILED, f"the fingers closed to {closed:.0f} mm where {words!r} is {wide:.0f} mm wide"
        )


def _held(mover: Mover, subgoal: Subgoal, target: Target, grasp: Grasp) -> Held:
    below = float(grasp.pose[2, 3] - target.surface[2] + target.size[2])
    return Held(
        str(subgoal.arguments["object"]), below, np.array(target.size), grasp.yaw_offset_rad,
        mover.arm.jaws.centre(grasp.width_m),
    )
