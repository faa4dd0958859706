"""Set the held object down: into a bin, onto a surface, or on top of another object."""

from __future__ import annotations

import numpy as np

from tandem.bridge.contract import FailureCode, SkillFailed, Subgoal, Target
from tandem.policies.motion.kinematics import describe
from tandem.policies.motion.memory import Held
from tandem.policies.motion.motion import Moves
from tandem.policies.motion.mover import Mover
from tandem.policies.motion.pose import at_height, beside, closing_yaw, moved, top_down, wrapped

CLEARANCES_M = (0.04, 0.025, 0.015, 0.008)  # between the rim and what is carried over it: the first within reach
_WALL_M = 0.01  # a target with walls higher than this is a bin or a slot
_RELEASE_M = 0.02  # how much wider the fingers open to let go between walls or neighbours


def place(mover: Mover, subgoal: Subgoal) -> Moves:
    """Over it, down, let go, up. Fails with PRECONDITION_FAILED, OBJECT_LOST, OBJECT_NOT_FOUND or UNREACHABLE."""
    mover.require_held("place")
    target = mover.locate(subgoal, "target")
    walled = target.rim_z_m - float(target.surface[2]) > _WALL_M
    drop = 0.012 if walled else 0.002
    yield from set_down(mover, target, "place", drop_m=drop)


def stack_on(mover: Mover, subgoal: Subgoal) -> Moves:
    """As `place`, aligned with the object below and let go of at its very top."""
    mover.require_held("stack_on")
    target = mover.locate(subgoal, "target")
    yield from set_down(mover, target, "stack", drop_m=0.0015)


def set_down(mover: Mover, target: Target, phase: str, *, drop_m: float) -> Moves:
    """Carry the held object over the target, lower it to `drop_m` above the surface, let go and retreat."""
    held = mover.memory.held or _unknown(mover)
    below = held.below_m
    goal = _aligned(mover, target, held, float(target.surface[2]) + below + drop_m)
    above = _above(mover, goal, target.rim_z_m + below)
    yield from mover.travel(above, "transport", floor_m=float(above[2, 3]))
    yield from mover.settle("transport")
    mover.require_still_held("transport")
    near = at_height(goal, min(float(goal[2, 3]) + 0.02, float(above[2, 3])))
    yield from mover.line(near, phase)
    yield from mover.line(goal, phase, speed_m_s=mover.pace.careful_m_s, loaded=True)
    yield from mover.settle(phase, loaded=True)
    mover.require_still_held(phase)
    release = min(1.0, mover.arm.jaws.opening(mover.width_m + _RELEASE_M))
    yield from mover.open_hand("release", release)
    mover.memory.see(held.words, _resting(target, held, float(goal[2, 3]) - below))
    yield from mover.rise(max(float(above[2, 3]), float(goal[2, 3]) + 0.06), "retreat", loaded=True)
    yield from mover.open_hand("retreat")


def _aligned(mover: Mover, target: Target, held: Held, z_m: float) -> np.ndarray:
    """The nearest tool pose that brings the object's axes in line with the target's, and is in reach."""
    position = np.array([*target.surface[:2], z_m])
    square = abs(held.size[0] - held.size[1]) < 0.1 * max(held.size[:2])
    period = np.pi / 2 if square else np.pi
    now = closing_yaw(mover.pose)
    nearest = now + wrapped(target.yaw_rad - held.yaw_offset_rad - now, period)
    yaws = sorted((nearest + k * period for k in (-2, -1, 0, 1, 2)), key=lambda yaw: abs(yaw - now))
    for yaw in yaws:
        pose = beside(top_down(position, yaw), held.aside_m)
        if mover.arm.reachable(pose, mover.q):
            return pose
    mover.arm.reach(top_down(position, nearest), mover.q)
    raise SkillFailed(FailureCode.UNREACHABLE, "the place is out of reach")


def _above(mover: Mover, goal: np.ndarray, rim_m: float) -> np.ndarray:
    """Over the goal, as high above `rim_m` as the arm can comfortably be."""
    for clearance in CLEARANCES_M:
        above = at_height(goal, max(rim_m + clearance, float(goal[2, 3]) + 0.01))
        if mover.arm.reachable(above, mover.q):
            return above
    raise SkillFailed(FailureCode.UNREACHABLE, f"the arm cannot carry the object over a rim, {describe(above)}")


def _resting(target: Target, held: Held, bottom_m: float) -> Target:
    top = bottom_m + float(held.size[2])
    return Target(moved(np.eye(4), np.array([*target.surface[:2], top]))[:3, 3], held.size, target.yaw_rad, top)


def _unknown(mover: Mover) -> Held:
    """An object that this policy did not pick up: as wide as the fingers say, reaching as deep as they do."""
    width = mover.width_m
    return Held("the held object", mover.spec.gripper.finger_depth_m + 0.01, np.array([width, width, 0.03]), 0.0,
                mover.arm.jaws.centre(width))
