"""Press a button from above."""

from __future__ import annotations

import numpy as np

from tandem.bridge.contract import FailureCode, SkillFailed, Subgoal
from tandem.policies.motion.motion import Moves
from tandem.policies.motion.mover import Mover
from tandem.policies.motion.pose import at_height, closing_yaw, top_down

_HOVER_M, _NEAR_M = 0.05, 0.006
_DEEPEST_M = 0.014  # below the button's top: no button goes further
_STOPPED_M = 0.003  # behind its command by this much, the arm stands on the end stop
_MOVED_M = 0.002


def press(mover: Mover, subgoal: Subgoal) -> Moves:
    """Over it with closed fingers, down until the end stop is felt, up. Fails with ACTUATION_FAILED if it is stuck."""
    mover.require_empty("press")
    target = yield from mover.find(subgoal, "target")
    top = float(target.surface[2]) + mover.spec.gripper.finger_depth_m
    goal = top_down(np.array([*target.surface[:2], top - _DEEPEST_M]), _yaw(mover, target.surface, top))
    yield from mover.travel(at_height(goal, top + _HOVER_M), "approach", opening=0.0)
    yield from mover.close_hand("approach")
    yield from mover.line(at_height(goal, top + _NEAR_M), "approach")
    yield from mover.settle("approach")
    yield from mover.line(
        goal, "press", speed_m_s=mover.pace.contact_m_s, look=1, loaded=True,
        until=lambda: mover.lag_m[2] > _STOPPED_M,
    )
    yield from mover.hold(4, "press", loaded=True)
    reached = float(mover.measured_pose[2, 3])
    yield from mover.rise(top + _HOVER_M, "retreat", loaded=True)
    if reached > top - _MOVED_M:
        raise SkillFailed(FailureCode.ACTUATION_FAILED, f"the button did not give ({(top - reached) * 1e3:.0f} mm)")


def _yaw(mover: Mover, surface: np.ndarray, height_m: float) -> float:
    """A direction of closing that the arm reaches there, the present one if it can."""
    now = closing_yaw(mover.pose)
    for turn in (0.0, np.pi / 4, -np.pi / 4, np.pi / 2):
        if mover.arm.reachable(top_down(np.array([*surface[:2], height_m]), now + turn), mover.q):
            return now + turn
    return now
