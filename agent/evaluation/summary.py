"""What one evaluation says: rates with their intervals, and everything that is no success, told apart by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from tandem.agent.evaluation.results import Evaluation, Record
from tandem.agent.evaluation.statistics import wilson


@dataclass(frozen=True)
class Figures:
    """Of some episodes. A figure that nothing was measured for is None; intervals are Wilson's, at 95 %.

    Attributes:
        episodes: that ended.
        scored: of them those with ground truth; rates are of these.
        successes: how many succeeded.
        success: their share.
        wilson_low: lower end of its interval.
        wilson_high: upper end.
        false_successes: claimed and measured untrue.
        false_success: their share of the episodes in which a claim could be checked.
        false_success_low: lower end of its interval.
        false_success_high: upper end.
        progress: mean, 0..1.
        plans: planner calls.
        plans_per_episode: their mean.
        plan_latency_p50_s: median wall time of a plan.
        plan_latency_p95_s: what 95 % of them stay below.
        held_steps: control steps under a stale command, while somebody was thinking.
        held_share: their share of all control steps.
        success_s_median: median body time to a success, of the successes.
        privileged: episodes in which the agent used ground truth.
        failures: how often each failure code ended an episode that did not succeed; "FALSE_SUCCESS" where the agent
            claimed a success that was measured untrue, "NOT_MEASURED" where nobody knows.
        infrastructure_errors: tries that ended for reasons that are not the agent's; no episodes.
        infrastructure: how often each of them happened.
    """

    episodes: int
    scored: int
    successes: int
    success: float | None
    wilson_low: float
    wilson_high: float
    false_successes: int
    false_success: float | None
    false_success_low: float
    false_success_high: float
    progress: float | None
    plans: int
    plans_per_episode: float | None
    plan_latency_p50_s: float | None
    plan_latency_p95_s: float | None
    held_steps: int
    held_share: float | None
    success_s_median: float | None
    privileged: int
    failures: dict[str, int]
    infrastructure_errors: int
    infrastructure: dict[str, int]

    @classmethod
    def of(cls, episodes: Sequence[Record], infrastructure: Sequence[Record] = ()) -> Figures:
        """Of finished episodes, and of the tries beside them that broke."""
        return cls(
            episodes=len(episodes), **_success(episodes), **_false_success(episodes), **_effort(episodes),
            progress=_mean(record.progress for record in episodes),
            privileged=sum(record.privileged for record in episodes),
            failures=_counted(_code(record) for record in episodes if not record.success),
            infrastructure_errors=len(infrastructure),
            infrastructure=_counted(record.failure or "UNNAMED" for record in infrastructure),
        )

    def to_dict(self) -> dict[str, Any]:
        """Flat, for JSON."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True)
class Summary:
    """Of one evaluation.

    Attributes:
        name: of its folder.
        planned: episodes that were planned.
        overall: of every episode.
        tasks: of each task.
    """

    name: str
    planned: int
    overall: Figures
    tasks: dict[str, Figures]

    @classmethod
    def of(cls, evaluation: Evaluation) -> Summary:
        """Of a folder, as it is now."""
        episodes, broken = list(evaluation.episodes.values()), evaluation.infrastructure
        names = dict.fromkeys([*evaluation.plan.get("tasks", ()), *(record.task for record in evaluation.tries)])
        tasks = {name: Figures.of(_of(name, episodes), _of(name, broken)) for name in names}
        return cls(evaluation.name, len(evaluation.planned), Figures.of(episodes, broken), tasks)

    def to_dict(self) -> dict[str, Any]:
        """The figures of all episodes, flat, and those of each task below `tasks`."""
        tasks = {name: figures.to_dict() for name, figures in self.tasks.items()}
        return {"name": self.name, "planned": self.planned, **self.overall.to_dict(), "tasks": tasks}


def _success(episodes: Sequence[Record]) -> dict[str, Any]:
    scored = [record.success for record in episodes if record.success is not None]
    good = sum(scored)
    low, high = wilson(good, len(scored))
    rate = good / len(scored) if scored else None
    return {"scored": len(scored), "successes": good, "success": rate, "wilson_low": low, "wilson_high": high}


def _false_success(episodes: Sequence[Record]) -> dict[str, Any]:
    checked = [record.false_success for record in episodes if record.false_success is not None]
    false = sum(checked)
    low, high = wilson(false, len(checked))
    rate = false / len(checked) if checked else None
    return {"false_successes": false, "false_success": rate, "false_success_low": low, "false_success_high": high}


def _effort(episodes: Sequence[Record]) -> dict[str, Any]:
    latencies = [second for record in episodes for second in record.plan_latency_s]
    steps, held = sum(record.steps for record in episodes), sum(record.held_steps for record in episodes)
    plans = sum(record.plans for record in episodes)
    times = [record.success_s for record in episodes if record.success and record.success_s is not None]
    return {
        "plans": plans, "plans_per_episode": plans / len(episodes) if episodes else None,
        "plan_latency_p50_s": _quantile(latencies, 0.5), "plan_latency_p95_s": _quantile(latencies, 0.95),
        "held_steps": held, "held_share": held / steps if steps else None, "success_s_median": _quantile(times, 0.5),
    }


def _code(record: Record) -> str:
    """Why an episode is no success; a claim that was measured untrue ends without a failure code."""
    if record.success is None:
        return record.failure or "NOT_MEASURED"
    return record.failure or ("FALSE_SUCCESS" if record.claimed else "UNNAMED")


def _counted(names: Iterable[str]) -> dict[str, int]:
    """Most frequent first, then by name."""
    return dict(sorted(Counter(names).items(), key=lambda item: (-item[1], item[0])))


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _quantile(values: Sequence[float], q: float) -> float | None:
    return float(np.quantile(values, q)) if values else None


def _of(task: str, records: Iterable[Record]) -> list[Record]:
    return [record for record in records if record.task == task]
