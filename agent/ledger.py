"""What an episode has tried and seen so far, and the result that it makes in the end."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tandem.agent.broadcast import Broadcast
from tandem.agent.drive import Drive
from tandem.agent.failures import UNTRUSTED
from tandem.agent.recover import PASSING
from tandem.bridge.contract import (
    Attempt,
    EpisodeResult,
    EventKind,
    FailureCode,
    LogUnwritable,
    Observation,
    Outcome,
    Subgoal,
    TandemError,
    Verdict,
)


@dataclass(frozen=True)
class Ending:
    """Why an episode is over: what the agent claims, the failure's code if it claims nothing, the reason in words."""

    claimed: bool
    failure: FailureCode | None
    reason: str


class Ledger:
    """The record of one episode.

    Attributes:
        attempts: every subgoal tried, in order.
        subgoals: those of the last plan that had any.
        before: by index in that plan, the observation that the verifier compares with.
        seen: by index in that plan, the verifier's last word.
        owed: what earlier plans were to do and was not seen done, with the observation that the verifier compares with,
            None for what was not begun.
        plans: planner calls so far.
        privileged: ground truth was used.
        looks: the verifier looks at what it judges.
    """

    def __init__(self, *, privileged: bool, looks: bool = True):
        self.attempts: list[Attempt] = []
        self.plans, self.privileged, self.looks = 0, privileged, looks
        self.started_s = time.perf_counter()
        self.subgoals: tuple[Subgoal, ...] = ()
        self.owed: list[tuple[Subgoal, Observation | None]] = []
        self.begin(())

    def begin(self, subgoals: tuple[Subgoal, ...]) -> None:
        """A new plan: nothing of it was seen yet. What of the last one was not seen done is owed.

        A debt is settled by who begins the same again: that it is planned once more is not enough. What was not even
        begun is dropped by a plan with work of its own, which says anew what is left to do.
        """
        lasting = [(i, subgoal) for i, subgoal in enumerate(self.subgoals) if subgoal.skill not in PASSING]
        begun = [subgoal for i, subgoal in lasting if i in self.before]
        left = [(subgoal, self.before.get(i)) for i, subgoal in lasting if not self.done(i)]
        owed = [debt for debt in self.owed if not any(_same_work(subgoal, debt[0]) for subgoal in begun)] + left
        works = any(subgoal.skill not in PASSING for subgoal in subgoals)
        self.owed = [(subgoal, before) for subgoal, before in owed if before is not None or not works]
        self.subgoals = subgoals
        self.before: dict[int, Observation] = {}
        self.seen: dict[int, Verdict] = {}

    def done(self, i: int) -> bool:
        """Whether the verifier's last word on the i-th subgoal of the present plan is success."""
        return i in self.seen and self.seen[i].outcome is Outcome.SUCCESS

    def forgotten(self) -> list[tuple[Subgoal, Observation | None]]:
        """What is owed and the present plan is not about."""
        works = [subgoal for subgoal in self.subgoals if subgoal.skill not in PASSING]
        return [debt for debt in self.owed if not any(_same_work(work, debt[0]) for work in works)]

    def stuck(self) -> bool:
        """Whether the last attempt moved nothing and failed just as the one before it."""
        if len(self.attempts) < 2 or self.attempts[-1].end_s > self.attempts[-1].start_s:
            return False
        last, before = ((str(a.subgoal), a.failure, a.detail) for a in self.attempts[-2:][::-1])
        return last == before

    def unseen(self) -> int | None:
        """Index of the first subgoal of the present plan that was not seen done, None when there is none.

        A subgoal whose effect ends with the next one is vouched for by that one.
        """
        vouched = (i + 1 < len(self.subgoals) and s.skill in PASSING for i, s in enumerate(self.subgoals))
        return next((i for i, passing in enumerate(vouched) if not passing and not self.done(i)), None)

    def result(
        self, ending: Ending, drive: Drive, score: Callable[[], tuple[bool, float]] | None, expected: bool | None
    ) -> EpisodeResult:
        """Claim, sight and measurement side by side. Ground truth is not asked of a body that cannot be trusted."""
        known = score is not None and drive.observation and ending.failure not in UNTRUSTED
        told = for_the_record(score, drive=drive) if known else None
        measured, progress = told or (None, None)
        all_seen = self.unseen() is None and not self.forgotten()
        return EpisodeResult(
            claimed=ending.claimed, seen=all_seen if self.seen and self.looks else None,
            measured=measured, infeasible=ending.failure is FailureCode.INFEASIBLE, failure=ending.failure,
            reason=ending.reason, progress=progress, attempts=tuple(self.attempts), steps=drive.steps,
            plans=self.plans, body_s=drive.elapsed_s, wall_s=time.perf_counter() - self.started_s,
            privileged=self.privileged, expected=expected,
        )


def _same_work(work: Subgoal, owed: Subgoal) -> bool:
    """Whether a lasting subgoal is about the same object as another; the same place, where there is no object."""
    if "object" in owed.arguments:
        return work.arguments.get("object") == owed.arguments["object"]
    return work.arguments.get("target") == owed.arguments.get("target")


def for_the_record(ask: Callable[..., Any], *about: Any, drive: Drive) -> Any:
    """What ground truth says; None, and a note, when it cannot be asked: an episode is no other for that."""
    try:
        return ask(*about)
    except TandemError as reason:
        with contextlib.suppress(LogUnwritable):  # which the end of the log tells, too
            drive.event(EventKind.NOTE, f"ground truth was not told: {reason}")
        return None


def finish(
    ledger: Ledger, ending: Ending, drive: Drive, broadcast: Broadcast,
    score: Callable[[], tuple[bool, float]] | None, expected: bool | None,
) -> EpisodeResult:
    """The result, after everybody has heard it. A log that cannot be finished makes it a failure."""
    result = ledger.result(_announced(ending, drive), drive, score, expected)
    for error in broadcast.end(result):
        if not isinstance(error, LogUnwritable):
            raise error
        result = replace(result, claimed=False, failure=FailureCode.LOG_UNWRITABLE, reason=str(error))
    return result


def _announced(ending: Ending, drive: Drive) -> Ending:
    """The failure told as an event; a log that cannot take even that becomes the failure."""
    if ending.failure is None or not drive.observation:
        return ending
    try:
        drive.event(EventKind.FAILURE, ending.reason, code=str(ending.failure), detail=ending.reason)
    except LogUnwritable as error:
        return Ending(False, FailureCode.LOG_UNWRITABLE, str(error))
    return ending
