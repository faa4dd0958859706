"""Pull a drawer open by its handle, and push it shut."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tandem.bridge.contract import FailureCode, SkillFailed, Subgoal, Target
from tandem.policies.motion import grasp as grasping
from tandem.policies.motion.kinematics import describe
from tandem.policies.motion.motion import Moves
from tandem.policies.motion.mover import Mover
from tandem.policies.motion.moving import shifted
from tandem.policies.motion.pose import at_height, moved, top_down

_PULLS_M = (0.18, 0.15, 0.13, 0.11, 0.09)  # the first that the arm reaches
_PUSHES_M = (0.22, 0.20, 0.18, 0.16, 0.14)
_STOPPED_M = 0.012  # behind its command by this much, the arm stands against the end stop
_PRIED = 0.05  # the fingers are forced apart by this much of their travel: the handle does not come any further
_OPENED_M = 0.03  # less than this is no opening
_BEFORE_M = 0.025  # between the fingers and the handle before a push
_HOVER_M, _BACK_M = 0.07, 0.02


def open_drawer(mover: Mover, subgoal: Subgoal) -> Moves:
    """Grasp the handle from above, pull outward to the stop, let go, up. Fails with GRASP_FAILED, ACTUATION_FAILED."""
    mover.require_empty("open")
    target = yield from mover.find(subgoal, "target")
    outward = _outward(target)
    grasp = grasping.choose(target, mover.arm, mover.q, carry=outward * _PULLS_M[-2])
    yield from mover.travel(grasp.hover, "approach", seed=grasp.q, opening=grasp.opening)
    yield from mover.settle("approach")
    yield from mover.open_hand("approach", grasp.opening)
    yield from mover.line(grasp.pose, "descend", speed_m_s=mover.pace.line_m_s / 2)
    yield from mover.settle("descend")
    yield from mover.close_hand("grasp")
    if not mover.holding:
        raise SkillFailed(FailureCode.GRASP_FAILED, "the fingers closed beside the handle")
    start, gripped = mover.measured_pose[:3, 3], mover.opening
    yield from _along(
        mover, outward, _PULLS_M, "pull", lambda: _behind(mover, outward) or mover.opening > gripped + _PRIED
    )
    pulled = float((mover.measured_pose[:3, 3] - start) @ outward)
    slipped = not mover.holding
    mover.put(str(subgoal.arguments["target"]), shifted(target, pulled * outward))
    yield from mover.open_hand("release", grasp.opening)
    yield from mover.rise(float(grasp.hover[2, 3]), "retreat", loaded=True)
    yield from mover.open_hand("retreat")
    if pulled < _OPENED_M or slipped:
        why = "the handle slipped out of the fingers" if slipped else f"it moved by {pulled * 1e3:.0f} mm only"
        raise SkillFailed(FailureCode.ACTUATION_FAILED, f"the drawer did not open: {why}")


def close_drawer(mover: Mover, subgoal: Subgoal) -> Moves:
    """Closed fingers in front of the handle, push to the stop, back, up. Fails with ACTUATION_FAILED."""
    mover.require_empty("close")
    target = yield from mover.find(subgoal, "target")
    outward = _outward(target)
    begin, seed = _before(mover, target, outward)
    yield from mover.travel(at_height(begin, float(begin[2, 3]) + _HOVER_M), "approach", seed=seed, opening=0.0)
    yield from mover.close_hand("approach")
    yield from mover.line(begin, "descend", speed_m_s=mover.pace.line_m_s / 2)
    yield from mover.settle("descend")
    yield from _along(mover, -outward, _PUSHES_M, "push", lambda: _behind(mover, -outward))
    stopped = _behind(mover, -outward)
    back = moved(mover.pose, mover.lag_m + _BACK_M * outward)  # with the commanded orientation: the load bends the arm
    yield from mover.line(back, "retreat", loaded=True)
    yield from mover.rise(float(begin[2, 3]) + _HOVER_M, "retreat", loaded=True)
    yield from mover.open_hand("retreat")
    if not stopped:
        raise SkillFailed(FailureCode.ACTUATION_FAILED, "the drawer never came to its stop")


def _outward(target: Target) -> np.ndarray:
    length = float(np.linalg.norm(target.outward))
    if length < 0.5:
        raise SkillFailed(FailureCode.OBJECT_NOT_FOUND, "nothing there can be pulled open: name the handle of a drawer")
    return target.outward / length


def _before(mover: Mover, target: Target, outward: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Tool pose on the outer side of the handle, the fingers side by side along it where the arm can, and a seed."""
    gripper = mover.spec.gripper
    depth = 0.5 * min(target.size[:2]) + 0.5 * gripper.finger_width_m + _BEFORE_M
    middle = target.surface + outward * depth
    tip = max(float(target.surface[2] - target.size[2]), grasping.TIP_ABOVE_TABLE_M)
    along = float(np.arctan2(outward[0], -outward[1]))
    position = np.array([*middle[:2], tip + gripper.finger_depth_m])
    for yaw in (along, along + np.pi, along + np.pi / 2, along - np.pi / 2):
        pose = top_down(position, yaw)
        way = [moved(pose, -outward * length) for length in np.linspace(0.0, _PUSHES_M[-2], 5)]
        for seed in mover.arm.seeds(pose, mover.q):
            if mover.arm.leads(way, seed):
                return pose, seed
    raise SkillFailed(FailureCode.UNREACHABLE, f"the arm cannot push the handle home from the {describe(pose)}")


def _along(
    mover: Mover, direction: np.ndarray, lengths_m: tuple[float, ...], phase: str, until: Callable[[], bool]
) -> Moves:
    """A line as long as the arm reaches, until it has come to the stop; then no further than where the arm is."""
    for length in lengths_m:
        try:
            path = mover.routes.line(mover.q, moved(mover.pose, length * direction), mover.pace.careful_m_s)
        except SkillFailed:
            continue
        yield from mover.follow(path, phase, look=2, loaded=True, until=until)
        yield from mover.hold(3, phase, loaded=True)
        return
    raise SkillFailed(FailureCode.UNREACHABLE, f"the arm cannot {phase} by {lengths_m[-1]:.2f} m from there")


def _behind(mover: Mover, direction: np.ndarray) -> bool:
    return bool(-mover.lag_m @ direction > _STOPPED_M)
