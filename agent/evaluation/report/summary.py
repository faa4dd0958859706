"""An evaluation in numbers, from its results alone: no log is opened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, get_args, get_type_hints

from tandem.agent.evaluation.report.rates import Rate
from tandem.agent.evaluation.results import PLAN_FILE, RESULTS_FILE, Evaluation, Record
from tandem.bridge.contract import UnusableResults


class Ending(StrEnum):
    """How an episode counts."""

    SUCCESS = "succeeded"
    FALSE_SUCCESS = "false success"
    FAILURE = "failed"
    UNMEASURED = "not measured"


_KINDS = {
    name: kind | int if float in (kind, *get_args(kind)) else kind
    for name, kind in get_type_hints(Record).items() if name != "plan_latency_s"
}
UNCLAIMED = "NO_CODE"  # neither claimed nor given a code


def ending(record: Record) -> Ending:
    """How an episode counts; a claim that is not true comes before everything else."""
    if record.false_success:
        return Ending.FALSE_SUCCESS
    return {True: Ending.SUCCESS, False: Ending.FAILURE, None: Ending.UNMEASURED}[record.success]


def code(record: Record) -> str:
    """Why it failed, in the closed list's word; a claim that is not true has none of those."""
    if record.false_success:
        return "CLAIMED_NOT_DONE"
    return record.failure or UNCLAIMED


@dataclass(frozen=True)
class Tally:
    """What became of some episodes.

    Attributes:
        finished: how many there are.
        success: measured successes of those that were measured.
        false_success: claimed and not true, of those that were measured.
        claims: claims that were not true, of those claims that were measured.
        unmeasured: how many have no ground truth.
        body_s: mean body time, None without episodes.
    """

    finished: int
    success: Rate
    false_success: Rate
    claims: Rate
    unmeasured: int
    body_s: float | None

    @classmethod
    def of(cls, records: Iterable[Record]) -> Tally:
        """Of these episodes."""
        records = list(records)
        measured = [record for record in records if record.success is not None]
        judged = [record for record in records if record.false_success is not None]
        false = sum(bool(record.false_success) for record in judged)
        return cls(
            len(records), Rate(sum(bool(record.success) for record in measured), len(measured)),
            Rate(false, len(judged)), Rate(false, sum(record.claimed for record in judged)),
            len(records) - len(measured), sum(record.body_s for record in records) / len(records) if records else None,
        )


@dataclass(frozen=True)
class Summary:
    """One evaluation.

    Attributes:
        label: what it is called, different from every other in the report.
        evaluation: itself.
        total: over all episodes.
        tasks: by task, in the order of the plan.
        failures: how often each code, most often first.
        infrastructure: how often each other reason, most often first.
    """

    label: str
    evaluation: Evaluation
    total: Tally
    tasks: dict[str, Tally]
    failures: dict[str, int]
    infrastructure: dict[str, int]

    @property
    def planned(self) -> int:
        """How many episodes were planned."""
        return len(self.evaluation.planned)

    @property
    def privileged(self) -> int:
        """How many episodes used ground truth."""
        return sum(record.privileged for record in self.evaluation.episodes.values())

    @property
    def facts(self) -> dict[str, Any]:
        """What was planned, beside the tasks."""
        return {name: value for name, value in self.evaluation.plan.items() if name not in ("format", "tasks")}


def summarise(evaluations: Sequence[Evaluation]) -> list[Summary]:
    """One summary for each evaluation."""
    return [_summary(one, label) for one, label in zip(evaluations, _labels(evaluations), strict=True)]


def _summary(evaluation: Evaluation, label: str) -> Summary:
    missing = [name for name in ("tasks", "episodes", "first_seed") if name not in evaluation.plan]
    if missing:
        raise UnusableResults(f"{evaluation.folder / PLAN_FILE} lacks {', '.join(missing)}: make it anew")
    for record in evaluation.tries:
        _check(record, evaluation)
    records = list(evaluation.episodes.values())
    names = dict.fromkeys([*evaluation.plan["tasks"], *(record.task for record in records)])
    bad = [record for record in records if ending(record) in (Ending.FAILURE, Ending.FALSE_SUCCESS)]
    return Summary(
        label, evaluation, Tally.of(records),
        {name: Tally.of(record for record in records if record.task == name) for name in names},
        dict(Counter(map(code, bad)).most_common()),
        dict(Counter(record.failure or "unknown" for record in evaluation.infrastructure).most_common()),
    )


def _check(record: Record, evaluation: Evaluation) -> None:
    """Raise `UnusableResults` when a number is no number or a word no word."""
    for name, kind in _KINDS.items():
        found = getattr(record, name)
        if not isinstance(found, kind):
            path = evaluation.folder / RESULTS_FILE
            raise UnusableResults(f"{path}: {name} of {record.address} must be {kind}, got {found!r}")


def _labels(evaluations: Sequence[Evaluation]) -> list[str]:
    """Folder names, or whole paths where two folders have the same name."""
    names = Counter(evaluation.name for evaluation in evaluations)
    return [one.name if names[one.name] == 1 else str(one.folder) for one in evaluations]
