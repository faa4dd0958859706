"""How smoothly and how timely each executor drives while thinking costs time: the same seeds for all of them."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from composition import Rig, System
from rich.console import Console
from rich.progress import track
from rich.table import Table

from tandem.bridge.contract import InvalidOption
from tandem.policies.executors import Summary, executor_named

BASELINE = "open_loop:horizon=8"
_FIGURES = (
    "success", "seam_jerk", "rest_jerk", "stale_action_ratio", "effective_hz", "latency_p50_s", "latency_p95_s",
    "latency_p99_s",
)


@dataclass(frozen=True)
class Driven:
    """What came of some episodes by one executor.

    Attributes:
        executor: as on the command line.
        successes: measured ones.
        summaries: one for each episode.
    """

    executor: str
    successes: int
    summaries: tuple[Summary, ...]

    def value(self, name: str) -> float | None:
        """A figure over all episodes: for jerk the root mean square by seams or actions, else the mean by actions."""
        if name == "success":
            return self.successes / len(self.summaries)
        weigh = "seams" if name == "seam_jerk" else "actions"
        told = [(getattr(s, weigh), getattr(s, name)) for s in self.summaries if getattr(s, name) is not None]
        total = sum(weight for weight, _ in told)
        if not total:
            return None
        power = 2 if name.endswith("jerk") else 1
        return (sum(weight * value**power for weight, value in told) / total) ** (1 / power)


def drive(system: System, seeds: Iterable[int]) -> Driven:
    """Episodes of a system that has an executor. Raises `InvalidOption` when it cannot drive by the policy."""
    rig, successes, summaries = Rig(system), 0, []
    try:
        for seed in seeds:
            successes += bool(rig.run(seed).measured)
            summaries.append(rig.policy.metrics.total.summary())
    finally:
        rig.close()
    return Driven(system.executor, successes, tuple(summaries))


def seam_jerk_ratio(
    system: System, seeds: Sequence[int], *, executor: str, baseline: str = BASELINE, ms: float = 200
) -> dict[str, float]:
    """What an executor does to the jerk at seams, and to success: for `rtc_seam_jerk_ratio` of the policy benchmark.

    Args:
        system: with the policy to be driven; its executor and clock are replaced.
        seeds: of the episodes, the same for both.
        executor: the one in question.
        baseline: what it is compared with.
        ms: charged for each thought, milliseconds.

    Returns:
        `seam_jerk_ratio` (the executor's over the baseline's), `success` and `baseline_success`.
    """
    one, other = (
        drive(replace(system, executor=name, clock=f"charged:{ms:g}"), seeds) for name in (executor, baseline))
    jerk, before = one.value("seam_jerk"), other.value("seam_jerk")
    return {
        "seam_jerk_ratio": jerk / before if jerk is not None and before else math.nan,
        "success": one.value("success"), "baseline_success": other.value("success"),
    }


@dataclass(frozen=True)
class ExecutorsBenchmark:
    """Executors side by side: success, jerk at chunk boundaries and elsewhere, stale actions, rate, latency."""

    executors: tuple[str, ...] = (BASELINE, "ensemble", "async")
    """Which, as --executor of an episode names them."""
    task: str = "pick_place"
    """Task of the episodes."""
    policy: str = "motion"
    """Policy that thinks; rtc needs a flow policy."""
    clock: str = "charged:200"
    """Who pays for thinking: charged:MS, live, lockstep."""
    seeds: int = 5
    """Episodes for each executor."""
    first_seed: int = 1000
    """Seeds count up from here."""

    def run(self) -> dict[str, float]:
        """Run every episode, print the table, return the figures."""
        if self.seeds < 1 or not self.executors:
            raise InvalidOption("there is nothing to measure: give at least one seed and one executor")
        console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
        base = System(planner="scripted", task=self.task, policy=self.policy, clock=self.clock)
        seeds = range(self.first_seed, self.first_seed + self.seeds)
        systems = [replace(base, executor=name) for name in self.executors]
        rows = [drive(system, seeds) for system in track(systems, "executors", console=console, transient=True)]
        console.print(_table(rows, self))
        return _figures(rows)


def _table(rows: list[Driven], asked: ExecutorsBenchmark) -> Table:
    title = f"{asked.policy} on {asked.task}, {asked.clock}, {asked.seeds} episodes each; jerk in rad/s^3"
    table = Table(title=title, title_justify="left")
    for name in ("executor", "success", "seam jerk", "elsewhere", "stale", "fresh Hz", "p50", "p95", "p99"):
        table.add_column(name, justify="left" if name == "executor" else "right")
    formats = ("{:.0%}", "{:.3g}", "{:.3g}", "{:.0%}", "{:.1f}", "{:.3f} s", "{:.3f} s", "{:.3f} s")
    for row in rows:
        values = (row.value(name) for name in _FIGURES)
        cells = ("" if value is None else how.format(value) for how, value in zip(formats, values, strict=True))
        table.add_row(row.executor, *cells)
    return table


def _figures(rows: list[Driven]) -> dict[str, float]:
    """By executor; two variants of one kind are told apart by their place in the table."""
    names = [executor_named(row.executor).kind.name for row in rows]
    figures = {}
    for i, (name, row) in enumerate(zip(names, rows, strict=True)):
        label = name if names.count(name) == 1 else f"{name}_{i + 1}"
        figures |= {f"{label}_{figure}": value for figure in _FIGURES if (value := row.value(figure)) is not None}
    return figures
