"""Joint paths from one place to another: straight lines and arcs of the tool, and moves in joint space.

Pure functions of where the arm is: nothing moves here.
"""

from __future__ import annotations

from contextlib import suppress

import numpy as np

from tandem.bridge.contract import FailureCode, SkillFailed
from tandem.policies.motion import trajectory
from tandem.policies.motion.kinematics import Arm
from tandem.policies.motion.pace import Pace
from tandem.policies.motion.pose import angle_between, around, between

_TURN_M = 0.12  # metres of path that a radian of turning counts as
_SINK_M = 0.02  # a move in joint space may sink this far below the lower of its ends
_USED, _AIMED = 0.95, 0.85  # share of the body's limits that a line may use, and that slowing down aims at
_SLOWEST = 0.3  # of the speed asked for: a line that must be slower kinks at a joint limit or a singularity


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
        slowest = _SLOWEST * speed_m_s
        while speed_m_s > slowest:
            along = trajectory.distance(length, self._pace.line(speed_m_s), self._dt_s) / length
            path = self._arm.track((course(start, goal, fraction) for fraction in along), q)
            velocity, acceleration = trajectory.demand(path, q, self._arm.spec)
            share = max(velocity, np.sqrt(acceleration))
            if share <= _USED:
                return path
            speed_m_s *= _AIMED / share
        raise SkillFailed(FailureCode.UNREACHABLE, "the path passes too close to a joint limit or a singularity")

    def across(self, q: np.ndarray, above: np.ndarray, seed: np.ndarray | None, *, upright: bool) -> np.ndarray | None:
        """(T, n) over the table to a pose (4, 4), nowhere lower than its ends; None when there is no such path.

        Args:
            q: (n,) where the arm is.
            above: where to.
            seed: (n,) near which to arrive, `q` when None.
            upright: keep the tool upright, on an arc, if that is possible; else the shorter way in joint space is.
        """
        if upright and seed is None:
            with suppress(SkillFailed):
                return self.arc(q, above)
        with suppress(SkillFailed):
            path = self._level_joints(q, above, seed, self._pace.carrying if upright else self._pace)
            if path is not None:
                return path
        with suppress(SkillFailed):
            return self.arc(q, above)
        return None

    def arrival(self, q: np.ndarray, pose: np.ndarray, seed: np.ndarray | None) -> np.ndarray:
        """(n,) joint positions at a pose, near a seed if there is one. Raises `SkillFailed` (`UNREACHABLE`)."""
        found = None if seed is None else self._arm.ik(pose, seed)
        return self._arm.reach(pose, q) if found is None else found

    def arc(self, q: np.ndarray, above: np.ndarray) -> np.ndarray:
        """(T, n) an arc about the base to a pose (4, 4). Raises `SkillFailed` (`UNREACHABLE`)."""
        return self.line(q, above, self._pace.carry_m_s, arc=True)

    def _level_joints(
        self, q: np.ndarray, above: np.ndarray, seed: np.ndarray | None, pace: Pace
    ) -> np.ndarray | None:
        path = trajectory.joint_move(q, self.arrival(q, above, seed), pace.joints(self._arm.spec), self._dt_s)
        floor = min(self._arm.fk(q)[2, 3], above[2, 3]) - _SINK_M
        return path if self._arm.heights(path).min() >= floor else None
