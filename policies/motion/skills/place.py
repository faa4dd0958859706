"""Set the held object down: into a container or slot, onto a surface, or on top of another object."""

from __future__ import annotations

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
_DROP_M, _LOWER_M = 0.008, 0.0015  # above the floor of a container; above a surface


def place(mover: Mover, subgoal: Subgoal) -> Moves:
    """Over it, down, let go, up. Fails with PRECONDITION_FAILED, OBJECT_LOST, OBJECT_NOT_FOUND or UNREACHABLE."""
    mover.require_held("place")
    target = yield from mover.find(subgoal, "target")
    held = mover.memory.held or unknown(mover)
    if target.rim_z_m - float(target.surface[2]) < _WALL_M:
        yield from set_down(mover, target, held, aligned(mover, target, held, _LOWER_M), "place")
    elif float((np.sort(target.size[:2]) - np.sort(held.size[:2])).min()) > _ROOMY_M:
        yield from set_down(mover, target, held, _in_container(mover, target, held), "place")
    else:
        goal = aligned(mover, target, held, _LOWER_M)
        yield from set_down(mover, target, held, _tips_above(mover, goal, target.rim_z_m), "place")


def stack_on(mover: Mover, subgoal: Subgoal) -> Moves:
    """As `place`, aligned with the object below and let go of at its very top."""
    mover.require_held("stack_on")
    target = yield from mover.find(subgoal, "target")
    held = mover.memory.held or unknown(mover)
    yield from set_down(mover, target, held, aligned(mover, target, held, _LOWER_M), "stack")


def set_down(mover: Mover, target: Target, held: Held, goal: np.ndarray, phase: str) -> Moves:
    """Carry the held object over a goal pose of the tool (4, 4), lower it, let go and retreat."""
    above = over(mover, goal, target.rim_z_m + held.below_m)
    yield from mover.travel(above, "transport", floor_m=float(above[2, 3]))
    yield from mover.settle("transport")
    yield from mover.keep_holding("transport")
    near = at_height(goal, min(float(goal[2, 3]) + 0.02, float(above[2, 3])))
    yield from mover.line(near, phase)
    yield from mover.line(goal, phase, speed_m_s=mover.pace.careful_m_s, loaded=True)
    yield from mover.settle(phase, loaded=True)
    yield from mover.keep_holding(phase)
    yield from let_go(mover, held, goal, float(above[2, 3]))


def let_go(mover: Mover, held: Held, goal: np.ndarray, height_m: float) -> Moves:
    """Open a little, rise to a height, open fully; remember where the object is now."""
    release = min(1.0, mover.arm.jaws.opening(mover.width_m + container.RELEASE_M))
    yield from mover.open_hand("release", release)
    mover.put(held.words, resting(held, goal))
    yield from mover.rise(max(height_m, float(goal[2, 3]) + 0.06), "retreat", loaded=True)
    yield from mover.open_hand("retreat")


def _in_container(mover: Mover, target: Target, held: Held) -> np.ndarray:
    """Tool pose at a free place in a container, as low as the fingers get between its walls."""
    now = closing_yaw(mover.pose)
    spot = container.choose(target, held, mover.spec.gripper, mover.contents(target), now)
    position = np.array([*spot.xy, spot.support_m + held.below_m + _DROP_M])
    goal = _nearest(mover, position, spot.yaw_rad, np.pi, held)
    return goal if spot.fingers_fit else _tips_above(mover, goal, target.rim_z_m)


def aligned(mover: Mover, target: Target, held: Held, drop_m: float) -> np.ndarray:
    """Tool pose that brings the object's axes in line with the target's, its bottom `drop_m` above the surface."""
    position = np.array([*target.surface[:2], float(target.surface[2]) + held.below_m + drop_m])
    square = abs(held.size[0] - held.size[1]) < 0.1 * max(held.size[:2])
    return _nearest(mover, position, target.yaw_rad - _long_axis(target, held), np.pi / 2 if square else np.pi, held)


def _long_axis(target: Target, held: Held) -> float:
    """Closing direction relative to the target's x axis that lays the object's long side along the target's."""
    crossed = (target.size[0] >= target.size[1]) != (held.size[0] >= held.size[1])
    return held.yaw_offset_rad + (np.pi / 2 if crossed else 0.0)


def _nearest(mover: Mover, position: np.ndarray, yaw_rad: float, period_rad: float, held: Held) -> np.ndarray:
    """The reachable tool pose at a position with a yaw, up to multiples of a period, that turns the wrist least."""
    now = closing_yaw(mover.pose)
    nearest = now + wrapped(yaw_rad - now, period_rad)
    for yaw in sorted((nearest + k * period_rad for k in (-2, -1, 0, 1, 2)), key=lambda yaw: abs(yaw - now)):
        pose = beside(top_down(position, yaw), held.aside_m)
        if mover.arm.reachable(pose, mover.q):
            return pose
    raise SkillFailed(FailureCode.UNREACHABLE, f"the place is out of reach: {describe(top_down(position, nearest))}")


def _tips_above(mover: Mover, goal: np.ndarray, rim_m: float) -> np.ndarray:
    """The pose, raised until the fingertips clear a rim: the object falls the rest of the way."""
    return at_height(goal, max(float(goal[2, 3]), rim_m + mover.spec.gripper.finger_depth_m + 0.001))


def over(mover: Mover, goal: np.ndarray, rim_m: float) -> np.ndarray:
    """Over the goal, as high above `rim_m` as the arm can comfortably be."""
    for clearance in CLEARANCES_M:
        above = at_height(goal, max(rim_m + clearance, float(goal[2, 3]) + 0.01))
        if mover.arm.reachable(above, mover.q):
            return above
    raise SkillFailed(FailureCode.UNREACHABLE, f"the arm cannot carry the object over a rim, {describe(above)}")


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
