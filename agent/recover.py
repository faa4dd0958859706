"""What to do after a failure: typed, cheapest first, bounded at every level.

The rules are one table. A failure whose budget is used up moves on to the next, dearer remedy of its row, and past
the last one the agent gives up. Nothing here looks at ground truth.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from tandem.bridge.contract import CameraPoint, FailureCode, InvalidOption, Subgoal


class Recovery(StrEnum):
    """The remedies, cheapest first."""

    RETRY = "retry"  # the same subgoal again, with a fresh approach
    BACK_UP = "back_up"  # go on after the last subgoal whose criterion still holds
    REPLAN = "replan"  # ask the planner, with the failure in its history
    GIVE_UP = "give_up"  # end the episode with the reason


_AGAIN = (Recovery.RETRY, Recovery.REPLAN)
_BACK = (Recovery.BACK_UP, Recovery.REPLAN)

REMEDIES: Mapping[FailureCode, tuple[Recovery, ...]] = {
    FailureCode.GRASP_FAILED: _AGAIN,
    FailureCode.TIMEOUT: _AGAIN,
    FailureCode.TRACKING_FAILED: _AGAIN,
    FailureCode.COLLISION: _AGAIN,
    FailureCode.INSERT_FAILED: _AGAIN,
    FailureCode.ACTUATION_FAILED: _AGAIN,
    FailureCode.STALE_OBSERVATION: _AGAIN,  # after a pause: a camera may come back
    FailureCode.OBJECT_LOST: _BACK,
    FailureCode.PLACE_FAILED: _BACK,
    FailureCode.PRECONDITION_FAILED: _BACK,
    FailureCode.CRITERION_NOT_MET: _BACK,  # a retry, when the subgoal before it still holds
    FailureCode.OBJECT_NOT_FOUND: (Recovery.REPLAN,),
    FailureCode.UNREACHABLE: (Recovery.REPLAN,),
    FailureCode.PLANNER_FAILED: (Recovery.REPLAN,),  # a subgoal that preflight refused
}
"""By code, what helps. A code that is not here (a broken body, a bad action, Ctrl-C) ends the episode."""


PASSING = frozenset({"pick", "home"})
"""Skills whose effect ends with what follows: nobody expects a placed object to be held still, nor the arm to rest."""


UNCERTAIN = frozenset({
    FailureCode.OBJECT_LOST, FailureCode.PLACE_FAILED, FailureCode.TIMEOUT, FailureCode.CRITERION_NOT_MET,
})
"""Failures of a `place` after which the object may lie where it should all the same, if the hand is empty."""


@dataclass(frozen=True)
class Limits:
    """How much an episode may cost.

    Attributes:
        retries: of one subgoal, per plan.
        back_ups: per episode.
        replans: planner calls after the first that bring further subgoals, per episode.
        steps: control steps per episode.
        settle_s: body time to wait before a verifier that was inconclusive looks again, and after a stale picture.
        max_age_s: how old a picture may be when a subgoal begins.
    """

    retries: int = 2
    back_ups: int = 3
    replans: int = 4
    steps: int = 12_000
    settle_s: float = 0.5
    max_age_s: float = 1.0

    def __post_init__(self):
        for name, value in vars(self).items():
            if not (math.isfinite(value) and value >= 0):
                raise InvalidOption(f"limit {name} must be finite and not negative, got {value}")


class Budget:
    """What is left of the limits.

    Args:
        limits: where the counting starts.
    """

    def __init__(self, limits: Limits):
        self._limits = limits
        self._retries: Counter[int] = Counter()
        self._back_ups = self._replans = 0

    def new_plan(self) -> None:
        """Retries are counted per plan."""
        self._retries.clear()

    def remedy(self, code: FailureCode, subgoal: int, *, again: bool = True) -> Recovery:
        """The cheapest remedy that is left for a subgoal (its index in the plan) that failed with this code.

        Args:
            code: why it failed.
            subgoal: its index in the plan.
            again: whether trying the same again can bring anything new.
        """
        for recovery in REMEDIES.get(code, ()):
            if (again or recovery is not Recovery.RETRY) and self._spend(recovery, subgoal):
                return recovery
        return Recovery.GIVE_UP

    def replan(self) -> bool:
        """Whether one more replan is allowed; counts it."""
        self._replans += 1
        return self._replans <= self._limits.replans

    def _spend(self, recovery: Recovery, subgoal: int) -> bool:
        if recovery is Recovery.RETRY:
            self._retries[subgoal] += 1
            return self._retries[subgoal] <= self._limits.retries
        if recovery is Recovery.BACK_UP:
            self._back_ups += 1
            return self._back_ups <= self._limits.back_ups
        return self._replans < self._limits.replans  # counted by `replan` when the new plan comes


def without_points(subgoal: Subgoal) -> Subgoal:
    """The subgoal by its words alone: a camera point taken before the thing was moved points at nothing."""
    words = {name: value for name, value in subgoal.arguments.items() if not isinstance(value, CameraPoint)}
    return replace(subgoal, arguments=words)
