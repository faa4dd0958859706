"""Set the held object down: into a container or slot, onto a surface, or on top of another object."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tandem.bridge.contract import FailureCode, SkillFailed, Subgoal, Target
from tandem.policies.motion import container
from tandem.policies.motion.kinematics import describe
from tandem.policies.motion.memory import Held
from tandem.policies.motion.motion import Moves
from tandem.policies.motion.mover import Mover
from tandem.policies.motion.pose import at_height, beside, closing_yaw, top_down, wrapped

CLEARANCES_M = (0.04, 0.025, 0.015, 0.008)  # between the rim and what is carried over it: the first within reach
_WALL_M = 0.006  # a target with walls higher than this is a container
_ROOMY_M = 0.03  # a container that is this much larger than the object offers a choice of places
_DROP_M, _LOWER_M, _TIPS_M = 0.008, 0.0015, 0.001  # above a container's floor; a surface; the tips above a rim


@dataclass(frozen=True, eq=False)
class Way:
    """How the held object gets to its place.

    Attributes:
        goal: (4, 4) of the tool where it lets go.
        above: (4, 4) of the tool over it, clear of the rim.
        seed: (n,) joint positions near which to arrive there; None when the tool can stay upright all the way.
    """

    goal: np.ndarray
    above: np.ndarray
    seed: np.ndarray | None


def place(mover: Mover, subgoal: Subgoal) -> Moves:
    """Over it, down, let go, up. Fails with PRECONDITION_FAILED, OBJECT_LOST, OBJECT_NOT_FOUND or UNREACHABLE."""
    mover.require_held("place")
    target = yield from mover.find(subgoal, "target")
    held = mover.memory.held or unknown(mover)
    floor, tips_above = float(target.surface[2]), target.rim_z_m + mover.spec.gripper.finger_depth_m + _TIPS_M
    if target.rim_z_m - floor < _WALL_M:
        way = aligned(mover, target, held, floor + held.below_m + _LOWER_M)
    elif float((np.sort(target.size[:2]) - np.sort(held.size[:2])).min()) > _ROOMY_M:
        way = _in_container(mover, target, held, tips_above)
    else:
        way = aligned(mover, target, held, max(floor + held.below_m + _LOWER_M, tips_above))
    yield from set_down(mover, held, way, "place")


def stack_on(mover: Mover, subgoal: Subgoal) -> Moves:
    """As `place`, aligned with the object below and let go of at its very top."""
    mover.require_held("stack_on")
    target = yield from mover.find(subgoal, "target")
    held = mover.memory.held or unknown(mover)
    way = aligned(mover, target, held, float(target.surface[2]) + held.below_m + _LOWER_M)
    yield from set_down(mover, held, way, "stack")


def set_down(mover: Mover, held: Held, way: Way, phase: str) -> Moves:
    """Carry the held object to its place, lower it, let go and retreat."""
    yield from carry(mover, way)
    near = at_height(way.goal, min(float(way.goal[2, 3]) + 0.02, float(way.above[2, 3])))
    yield from mover.line(near, phase)
    yield from mover.line(way.goal, phase, speed_m_s=mover.pace.careful_m_s, loaded=True)
    yield from mover.settle(phase, loaded=True)
    yield from mover.keep_holding(phase)
    yield from let_go(mover, held, way.goal, float(way.above[2, 3]))


def carry(mover: Mover, way: Way) -> Moves:
    """To above the place. Raises `OBJECT_LOST` when the hand arrives empty."""
    yield from mover.travel(way.above, "transport", floor_m=float(way.above[2, 3]), seed=way.seed)
    yield from mover.settle("transport")
    yield from mover.keep_holding("transport")


def let_go(mover: Mover, held: Held, goal: np.ndarray, height_m: float) -> Moves:
    """Open a little, rise to a height, open fully; remember where the object is now."""
    release = min(1.0, mover.arm.jaws.opening(mover.width_m + container.RELEASE_M))
    yield from mover.open_hand("release", release)
    mover.put(held.words, resting(held, goal))
    yield from mover.rise(max(height_m, float(goal[2, 3]) + 0.06), "retreat", loaded=True)
    yield from mover.open_hand("retreat")


def _in_container(mover: Mover, target: Target, held: Held, tips_above_m: float) -> Way:
    """To a free place in a container, as low as the fingers get between its walls."""
    now = closing_yaw(mover.pose)
    spot = container.choose(target, held, mover.spec.gripper, mover.contents(target), now)
    height = spot.support_m + held.below_m + _DROP_M
    position = np.array([*spot.xy, height if spot.fingers_fit else max(height, tips_above_m)])
    return _way(mover, position, spot.yaw_rad, np.pi, held, target.rim_z_m)


def aligned(mover: Mover, target: Target, held: Held, height_m: float) -> Way:
    """To over the target's middle, the object's axes in line with the target's, the tool at a height."""
    position = np.array([*target.surface[:2], height_m])
    square = abs(held.size[0] - held.size[1]) < 0.1 * max(held.size[:2])
    yaw, period = target.yaw_rad - _long_axis(target, held), np.pi / 2 if square else np.pi
    return _way(mover, position, yaw, period, held, target.rim_z_m)


def _long_axis(target: Target, held: Held) -> float:
    """Closing direction relative to the target's x axis that lays the object's long side along the target's."""
    crossed = (target.size[0] >= target.size[1]) != (held.size[0] >= held.size[1])
    return held.yaw_offset_rad + (np.pi / 2 if crossed else 0.0)


def _way(
    mover: Mover, position: np.ndarray, yaw_rad: float, period_rad: float, held: Held, rim_m: float
) -> Way:
    """The way to a tool position with a yaw, up to multiples of a period: upright if any is, with the least turning."""
    now = closing_yaw(mover.pose)
    nearest = now + wrapped(yaw_rad - now, period_rad)
    turns = sorted((nearest + k * period_rad for k in (-2, -1, 0, 1, 2)), key=lambda yaw: abs(yaw - now))
    goals = [beside(top_down(position, yaw), held.aside_m) for yaw in turns]
    for arrive in (_upright, _anyhow):
        for goal in goals:
            for clearance in CLEARANCES_M:
                above = at_height(goal, max(rim_m + held.below_m + clearance, float(goal[2, 3]) + 0.01))
                q = arrive(mover, above)
                if q is not None and mover.arm.leads([goal], q):
                    return Way(goal, above, None if arrive is _upright else q)
    raise SkillFailed(FailureCode.UNREACHABLE, f"the place is out of reach: {describe(goals[0])}")


def _upright(mover: Mover, above: np.ndarray) -> np.ndarray | None:
    """(n,) where the arm arrives when the tool stays upright all the way."""
    try:
        return mover.routes.arc(mover.q, above)[-1]
    except SkillFailed:
        return None


def _anyhow(mover: Mover, above: np.ndarray) -> np.ndarray | None:
    found = (mover.arm.ik(above, seed) for seed in mover.arm.seeds(above, mover.q))
    return next((q for q in found if q is not None), None)


def resting(held: Held, goal: np.ndarray) -> Target:
    """The object that was let go of at a tool pose."""
    middle = goal[:3, 3] + held.aside_m * goal[:3, 1]
    top = float(goal[2, 3]) - held.below_m + float(held.size[2])
    return Target(np.array([*middle[:2], top]), held.size, closing_yaw(goal) + held.yaw_offset_rad, top)


def unknown(mover: Mover) -> Held:
    """An object that this policy did not pick up: as wide as the fingers say, reaching little deeper than they do."""
    width = mover.width_m
    return Held(
        "the held object", mover.spec.gripper.finger_depth_m + 0.01, np.array([width, width, 0.03]), 0.0,
        mover.arm.jaws.centre(width),
    )
