"""A planner that uses ground truth, and says so: every plan of it is marked privileged.

It shows what the rest of the system can do when the plan is right, and it is the teacher of learned planners. The
oracle answers from the present state of the world, so that asking again after a failure is a replan.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tandem.bridge.contract import Plan, PlannerFailed, PlanRequest, Subgoal, TandemError


class Oracle(Protocol):
    """What the planner asks the ground truth."""

    def infeasible(self) -> str | None:
        """Why the instruction cannot be carried out; None when it can."""

    def remaining(self) -> Sequence[Subgoal]:
        """What is still to be done from the present state, in order; empty when nothing is."""


class ScriptedPlanner:
    """Reads its plan off the ground truth and looks at no image.

    Args:
        oracle: the ground truth of the episode's task.
    """

    def __init__(self, oracle: Oracle):
        self._oracle = oracle

    def plan(self, request: PlanRequest) -> Plan:
        """What is left to do. Raises `PlannerFailed` when the oracle fails or names a skill that is not offered."""
        try:
            reason = self._oracle.infeasible()
            if reason is not None:
                return Plan((), feasible=False, reason=reason, privileged=True)
            subgoals = tuple(self._oracle.remaining())
        except TandemError as error:
            raise PlannerFailed(f"the ground truth gives no plan for {request.instruction!r}: {error}") from error
        unknown = sorted({subgoal.skill for subgoal in subgoals} - set(request.catalogue))
        if unknown:
            offered = ", ".join(request.catalogue) or "none"
            raise PlannerFailed(f"the task needs the skills {', '.join(unknown)}, the policy offers: {offered}; "
                                "motion has all, and hybrid:NAME fills in what NAME lacks")
        return Plan(subgoals, privileged=True)
