"""The closed list of reasons for which a subgoal or an episode fails."""

from __future__ import annotations

from enum import StrEnum


class FailureCode(StrEnum):
    """Why something was not achieved. A log, a recovery rule or a statistic needs no other word."""

    GRASP_FAILED = "GRASP_FAILED"  # the gripper closed on nothing, or missed
    OBJECT_LOST = "OBJECT_LOST"  # it was held and is held no more
    OBJECT_NOT_FOUND = "OBJECT_NOT_FOUND"  # nothing is there, or the point hits nothing
    UNREACHABLE = "UNREACHABLE"  # no joint configuration within limits gets there
    COLLISION = "COLLISION"  # the motion would hit something
    TRACKING_FAILED = "TRACKING_FAILED"  # the arm did not follow its command
    PLACE_FAILED = "PLACE_FAILED"  # released, and not where it should be
    INSERT_FAILED = "INSERT_FAILED"  # the part jammed or stood on the rim
    ACTUATION_FAILED = "ACTUATION_FAILED"  # a drawer or button did not move as asked
    PRECONDITION_FAILED = "PRECONDITION_FAILED"  # the skill cannot start from here (for example: nothing held)
    CRITERION_NOT_MET = "CRITERION_NOT_MET"  # the policy finished, the verifier says no
    TIMEOUT = "TIMEOUT"  # the subgoal's own time is up
    STALE_OBSERVATION = "STALE_OBSERVATION"
    INVALID_OBSERVATION = "INVALID_OBSERVATION"
    INVALID_ACTION = "INVALID_ACTION"
    SPEC_MISMATCH = "SPEC_MISMATCH"
    INFEASIBLE = "INFEASIBLE"  # the planner says it cannot be done, and why
    PLANNER_FAILED = "PLANNER_FAILED"
    BODY_UNRESPONSIVE = "BODY_UNRESPONSIVE"
    BODY_STOPPED = "BODY_STOPPED"  # a fault is latched, or the lease is another's
    PHYSICS_DIVERGED = "PHYSICS_DIVERGED"
    BUDGET_EXHAUSTED = "BUDGET_EXHAUSTED"  # retries, replans or steps are used up
    LOG_UNWRITABLE = "LOG_UNWRITABLE"
    INTERNAL_ERROR = "INTERNAL_ERROR"  # a mistake in a program; the detail says which
    INTERRUPTED = "INTERRUPTED"  # a person pressed Ctrl-C
