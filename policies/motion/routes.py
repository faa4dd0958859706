"""Joint paths from one place to another: straight lines and arcs of the tool, and moves in joint space.

Pure functions of where the arm is: nothing moves here.
"""

from __future__ import annotations

import numpy as np

from tandem.bridge.contract import FailureCode, SkillFailed
from tandem.policies.motion import trajectory
from tandem.policies.motion.kinematics import Arm
from tandem.policies.motion.pace import Pace
from tandem.policies.motion.pose import angle_between, around, between

_TURN_M = 0.12  # metres of path that a radian of turning counts as
_SINK_M = 0.02  # a move in joint space may sink this far below the lower of its ends
_USED, _AIMED, _SLOWINGS = 0.95, 0.85, 4  # share of the velocity limits that a line may use, that slowing aims at


class Routes:
    """Plans paths, each sampled at the body's control rate.

    Args:
        arm: its kinematics.
        pace: speeds.
    """

    def __init__(self, arm: Arm, pace: Pace):
        self._arm, self._pace, self._dt_s = arm, pace, arm.spec.dt_s

    def joints(self, q: np.ndarray, goal: np.ndarray) -> np.ndarray:
        """(T, n) a move in joint space from rest to rest."""
        return trajectory.joint_move(q, goal, self._pace.joints(self._arm.spec), self._dt_s)

    def line(self, q: np.ndarray, goal: np.ndarray, speed_m_s: float, *, arc: bool = False) -> np.ndarray:
        """(T, n) a straight line of the tool to a pose (4, 4), or an arc about the base; slowed where a joint races.

        Raises:
            SkillFailed: `UNREACHABLE`.
        """
        start, course = self._arm.fk(q), around if arc else between
        length = max(float(np.linalg.norm(goal[:3, 3] - start[:3, 3])), _TURN_M * angle_between(start, goal), 1e-4)
        for _ in range(_SLOWINGS):
            along = trajectory.distance(length, self._pace.line(speed_m_s), self._dt_s) / length
            path = self._arm.track((course(start, goal, fraction) for fraction in along), q)
            share = float((trajectory.fastest(path, q, self._dt_s) / self._arm.spec.velocity_limit).max())
            if share <= _USED:
                return path
            speed_m_s *= _AIMED / share
        raise SkillFailed(FailureCode.UNREACHABLE, "the straight path passes too close to a singularity")

    def across(self, q: np.ndarray, above: np.ndarray, seed: np.ndarray | None, *, upright: bool) -> np.ndarray | None:
        """(T, n) over the table to a pose (4, 4), nowhere lower than its ends; None when there is no such path.

        Args:
            q: (n,) where the arm is.
            above: where to.
            seed: (n,) near which to arrive, `q` when None.
            upright: keep the tool upright, on an arc, if that is possible; else the shorter way in joint space is.
        """
        courses = (self._arc, self._level_joints) if upright else (self._level_joints, self._arc)
        for course in courses:
            try:
                path = course(q, above, seed)
            except SkillFailed:
                continue
            if path is not None:
                return path
        return None

    def arrival(self, q: np.ndarray, pose: np.ndarray, seed: np.ndarray | None) -> np.ndarray:
        """(n,) joint positions at a pose, near a seed if there is one. Raises `SkillFailed` (`UNREACHABLE`)."""
        found = None if seed is None else self._arm.ik(pose, seed)
        return self._arm.reach(pose, q) if found is None else found

    def _arc(self, q: np.ndarray, above: np.ndarray, seed: np.ndarray | None) -> np.ndarray:
        return self.line(q, above, self._pace.carry_m_s, arc=True)

    def _level_joints(self, q: np.ndarray, above: np.ndarray, seed: np.ndarray | None) -> np.ndarray | None:
        path = self.joints(q, self.arrival(q, above, seed))
        floor = min(self._arm.fk(q)[2, 3], above[2, 3]) - _SINK_M
        return path if self._arm.heights(path).min() >= floor else None
