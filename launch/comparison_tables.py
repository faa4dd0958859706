"""What `compare.py` prints and writes: the tables and figures of a comparison."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from string import ascii_uppercase
from typing import Any

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from tandem.agent.evaluation.arms import Arm, against, baseline_of
from tandem.agent.evaluation.comparison import Comparison, Contrast, Matched, compare, match, ranking
from tandem.agent.evaluation.manifests import Difference, differences
from tandem.agent.evaluation.ranking import Ranked
from tandem.agent.evaluation.results import Evaluation
from tandem.agent.evaluation.summary import Figures, Summary

_LEFT = frozenset({"", "folder", "task", "verdict", "failures", "arm", "also differs", "system"})


@dataclass(frozen=True)
class Report:
    """Everything that is said of some evaluations.

    Attributes:
        evaluations: by letter.
        summaries: by letter.
        differences: between the first and each other one, by its letter.
        matched: the episodes that all have run.
        pairs: each two, by their letters.
        ranked: strongest first; empty for two.
        arms: against the baseline; empty without one.
    """

    evaluations: Mapping[str, Evaluation]
    summaries: Mapping[str, Summary]
    differences: Mapping[str, tuple[Difference, ...]]
    matched: Matched
    pairs: Mapping[tuple[str, str], Comparison]
    ranked: tuple[Ranked, ...]
    arms: tuple[Arm, ...]

    @classmethod
    def of(cls, evaluations: Sequence[Evaluation], *, other_states: bool = False) -> Report:
        """Work it out. Raises `UnusableResults` when they cannot be compared."""
        lettered = dict(zip(ascii_uppercase, evaluations, strict=False))
        matched = match(evaluations, other_states=other_states)
        pairs = {(a, b): compare(lettered[a], lettered[b], other_states=other_states)
                 for a, b in combinations(lettered, 2)}
        baseline = baseline_of(evaluations)
        return cls(
            lettered, {letter: Summary.of(one) for letter, one in lettered.items()},
            {letter: differences(evaluations[0].plan, one.plan) for letter, one in list(lettered.items())[1:]},
            matched, pairs, ranking(list(lettered), matched) if len(lettered) > 2 else (),
            against(baseline, evaluations, other_states=other_states) if baseline else (),
        )

    def parts(self) -> Iterator[RenderableType]:
        """What to print, in order."""
        for letter, found in self.differences.items():
            yield differences_table(letter, found)
        yield summaries_table(self.evaluations, self.summaries)
        if len(self.evaluations) == 2:
            [comparison] = self.pairs.values()
            yield contrast_table(comparison)
        else:
            yield pairs_table(self.pairs)
            yield ranking_table(self.ranked, self.matched)
        if self.arms:
            yield arms_table(self.arms)
        yield from self._notes()

    def to_dict(self) -> dict[str, Any]:
        """For JSON; of two evaluations their comparison also lies flat at the top."""
        flat = next(iter(self.pairs.values())).to_dict() if len(self.pairs) == 1 else self.matched.counts()
        return {
            **flat,
            "evaluations": {letter: {"folder": str(one.folder), **self.summaries[letter].to_dict()}
                            for letter, one in self.evaluations.items()},
            "manifests": {letter: [one.to_dict() for one in found] for letter, found in self.differences.items()},
            "pairs": {f"{a}{b}": comparison.to_dict() for (a, b), comparison in self.pairs.items()},
            "ranking": [asdict(one) for one in self.ranked], "arms": [arm.to_dict() for arm in self.arms],
        }

    def _notes(self) -> Iterator[str]:
        """What one has to know to read the tables."""
        yield from _counts(self.matched, list(self.evaluations))
        for letter, summary in self.summaries.items():
            yield from _remarks(letter, summary)
        yield ("[dim]intervals: 95 %. A verdict needs an e-value of 20 and holds whenever one looks; McNemar's p holds "
               "for a number of episodes that was fixed beforehand. Each row is a question of its own.[/]")


def differences_table(letter: str, found: Sequence[Difference]) -> RenderableType:
    """Why A and another one may differ."""
    if not found:
        return f"A and {letter} were made in the same way, as far as their plans tell"
    columns = ("group", "what", "A", letter, "why")
    shown = _table(f"why A and {letter} may differ", columns, left=columns)
    for one in found:
        why = one.why if one.explains else "explains nothing"
        shown.add_row(one.group, *map(escape, (one.path, *one.words)), why, style="" if one.explains else "dim")
    return shown


def summaries_table(evaluations: Mapping[str, Evaluation], summaries: Mapping[str, Summary]) -> Table:
    """Each evaluation by itself, with every episode that it has."""
    shown = _table("each by itself", (
        "", "folder", "episodes", "success", "95 %", "progress", "false success", "plans", "plan p50/p95", "stale",
        "to success", "failures", "infra",
    ))
    for letter, summary in summaries.items():
        shown.add_row(letter, escape(str(evaluations[letter].folder)), f"{summary.overall.episodes}/{summary.planned}",
                      *figures_cells(summary.overall))
    return shown


def contrast_table(comparison: Comparison) -> Table:
    """A and B on the episodes that both have run."""
    shown = _table("A and B on the same episodes", (
        "task", "n", "A", "95 %", "B", "95 %", "only A", "only B", "A - B", "95 %", "McNemar p", "e-value", "verdict",
    ))
    several = len(comparison.tasks) > 1
    for contrast in (*(comparison.tasks if several else ()), comparison.overall):
        (rate_a, *of_a), (rate_b, *of_b) = contrast.rates
        name = contrast.name if several else comparison.tasks[0].name
        shown.add_row(name, str(contrast.table.pairs), f"{rate_a:.0%}", _span(*of_a), f"{rate_b:.0%}", _span(*of_b),
                      str(contrast.table.only_first), str(contrast.table.only_second), *_evidence(contrast, "A", "B"))
        if several and contrast is comparison.tasks[-1]:
            shown.add_section()
    return shown


def pairs_table(pairs: Mapping[tuple[str, str], Comparison]) -> Table:
    """Each two of many, on the episodes that the two have run."""
    shown = _table("each two on the same episodes", (
        "", "n", "only first", "only second", "difference", "95 %", "McNemar p", "e-value", "verdict",
    ))
    for (a, b), comparison in pairs.items():
        table = comparison.overall.table
        shown.add_row(f"{a} - {b}", str(table.pairs), str(table.only_first), str(table.only_second),
                      *_evidence(comparison.overall, a, b))
    return shown


def ranking_table(ranked: Sequence[Ranked], matched: Matched) -> Table:
    """The strongest first."""
    title = f"Bradley-Terry ranking from {len(matched.addresses)} episodes that all have run, ties halved"
    shown = _table(title, ("", "system", "strength (log-odds)", "95 %", "is the best"))
    for place, one in enumerate(ranked, start=1):
        shown.add_row(str(place), one.name, f"{one.strength:+.2f}", f"{one.low:+.2f} .. {one.high:+.2f}",
                      f"{one.first:.0%}")
    return shown


def arms_table(arms: Sequence[Arm]) -> Table:
    """Arm by task: what the change is worth, in points of success."""
    tasks = list(dict.fromkeys(task for arm in arms for task in arm.comparison.matched.tasks))
    shown = _table("effect against the baseline, on the same initial states", ("arm", *tasks, "all", "also differs"))
    for arm in arms:
        found = {contrast.name: contrast for contrast in arm.comparison.tasks}
        cells = [_effect(found.get(task)) for task in tasks]
        shown.add_row(escape(arm.name), *cells, _effect(arm.comparison.overall), escape(", ".join(arm.also)))
    return shown


def _counts(matched: Matched, letters: Sequence[str]) -> Iterator[str]:
    yield f"{len(matched.addresses)} episodes matched by task, index and seed"
    for what, counts in (("finished episodes have no partner", matched.unmatched),
                         ("tries broke for reasons that are not the agent's, and count for nobody",
                          matched.infrastructure)):
        for letter, count in zip(letters, counts, strict=True):
            if count:
                yield f"[yellow]{letter}[/]: {count} {what}"
    if matched.unscored:
        yield f"[yellow]{matched.unscored}[/] were not measured by all, and are left out"
    if matched.other_states:
        yield f"[yellow]{matched.other_states}[/] of them began in different states: paired by their seed alone"
    if matched.unchecked:
        yield f"[yellow]{matched.unchecked}[/] of them have no digest of their initial state: believed to be the same"


def _remarks(letter: str, summary: Summary) -> Iterator[str]:
    if summary.overall.privileged:
        yield f"[yellow]{letter}[/]: used ground truth in {summary.overall.privileged} episodes"
    if summary.overall.episodes < summary.planned:
        yield f"[yellow]{letter}[/]: {summary.overall.episodes} of {summary.planned} planned episodes have ended"


def figures_cells(figures: Figures) -> tuple[str, ...]:
    """Success, its interval, progress, false success, plans, their latency, stale, time, failures, infrastructure."""
    failures = ", ".join(f"{code} {count}" for code, count in list(figures.failures.items())[:3])
    latency = "-" if figures.plan_latency_p50_s is None else (
        f"{figures.plan_latency_p50_s:.2f}/{figures.plan_latency_p95_s:.2f} s")
    false = "-" if figures.false_success is None else (
        f"{figures.false_success:.0%} ({_span(figures.false_success_low, figures.false_success_high)})")
    return (
        _percent(figures.success), _span(figures.wilson_low, figures.wilson_high), _percent(figures.progress), false,
        "-" if figures.plans_per_episode is None else f"{figures.plans_per_episode:.1f}", latency,
        _percent(figures.held_share),
        "-" if figures.success_s_median is None else f"{figures.success_s_median:.1f} s", failures,
        str(figures.infrastructure_errors),
    )


def _evidence(contrast: Contrast, first: str, second: str) -> tuple[str, ...]:
    verdict = contrast.verdict(first, second)
    coloured = verdict if contrast.better is None else f"[green]{verdict}[/]"
    return (f"{100 * contrast.table.difference:+.0f}", _points(contrast), f"{contrast.p_value:.3g}",
            f"{contrast.e_value:.3g}", coloured)


def _effect(contrast: Contrast | None) -> str:
    if contrast is None:
        return "-"
    colour = {None: "default", 0: "green", 1: "red"}[contrast.better]
    return f"[{colour}]{100 * contrast.table.difference:+.0f}[/] ({_points(contrast)})"


def _points(contrast: Contrast) -> str:
    low, high = contrast.interval
    return f"{100 * low:+.0f} .. {100 * high:+.0f}"


def _span(low: float, high: float) -> str:
    return f"{100 * low:.0f} .. {100 * high:.0f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


def _table(title: str, columns: Sequence[str], left: Container[str] = _LEFT) -> Table:
    shown = Table(title=title, title_justify="left")
    for name in columns:
        shown.add_column(name, justify="left" if name in left else "right", overflow="fold")
    return shown
