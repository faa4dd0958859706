"""The tables and figures of the closed loop, from the results of its episodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from composition import System
from rich.table import Table

from tandem.agent.evaluation.statistics import wilson

Results = Mapping[str, Sequence[Mapping[str, Any]]]


@dataclass(frozen=True)
class Cell:
    """One row of a table.

    Attributes:
        name: of its figure; that of a variant goes on with "|" and the variant's name.
        system: what runs.
        feasible: False asks for what cannot be done.
        episodes: how many.
    """

    name: str
    system: System
    feasible: bool
    episodes: int

    @property
    def variant(self) -> str:
        """Name of the variant, empty for the planner as it is."""
        return self.name.partition("|")[2]


def table(planner: str, cells: Sequence[Cell], results: Results) -> Table:
    """One row for each task, as it is and asked for the impossible."""
    shown = Table(title=f"closed loop, planner {planner}", title_justify="left")
    for title in ("figure", "success", "95 % interval", "false success", "median plan", "plans", "failed as"):
        shown.add_column(title, justify="left" if title in ("figure", "failed as") else "right")
    for cell in cells:
        if not cell.variant:
            rows = results[cell.name]
            codes = Counter(str(row["failure"]) for row in rows if not row["success"])
            seconds = [second for row in rows for second in row["plan_s"]]
            shown.add_row(
                cell.name, *_rates(rows), f"{median(seconds):.2f} s" if seconds else "-",
                f"{sum(row['plans'] for row in rows) / len(rows):.1f}",
                ", ".join(f"{code} ({count})" for code, count in codes.most_common(2)),
            )
    return shown


def ablation_table(cells: Sequence[Cell], results: Results) -> Table:
    """Each variant beside the planner as it is, on the same seeds: how many episodes only one of them wins."""
    shown = Table(title="the same seeds again", title_justify="left")
    for title in ("task", "variant", "success", "95 % interval", "false success", "lost", "won"):
        shown.add_column(title, justify="left" if title in ("task", "variant") else "right")
    by_task: dict[str, list[Cell]] = {}
    for cell in cells:
        if cell.feasible:
            by_task.setdefault(cell.system.task, []).append(cell)
    for base, *variants in by_task.values():
        if variants:
            shown.add_row(base.system.task, "as it is", *_rates(results[base.name]), "", "")
        for cell in variants:
            changed = _changed(results[base.name], results[cell.name])
            shown.add_row(cell.system.task, cell.variant, *_rates(results[cell.name]), *map(str, changed))
    return shown


def _rates(rows: Sequence[Mapping[str, Any]]) -> tuple[str, str, str]:
    """Successes, their interval, false successes."""
    good = _good(rows)
    low, high = wilson(good, len(rows))
    return f"{good}/{len(rows)}", f"{low:.0%} .. {high:.0%}", str(_false(rows))


def _changed(base: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    """Episodes that succeed only as it is, and only in the variant."""
    pairs = [(bool(one["success"]), bool(other["success"])) for one, other in zip(base, rows, strict=True)]
    return pairs.count((True, False)), pairs.count((False, True))


def _good(rows: Sequence[Mapping[str, Any]]) -> int:
    return sum(bool(row["success"]) for row in rows)


def _false(rows: Sequence[Mapping[str, Any]]) -> int:
    return sum(bool(row["false_success"]) for row in rows)


def figures(cells: Sequence[Cell], results: Results) -> dict[str, float]:
    """One flat object; a variant's figures end with its name."""
    flat: dict[str, float] = {}
    for cell in cells:
        rows, name = results[cell.name], cell.name.replace("|", "_").replace(" ", "_")
        low, high = wilson(_good(rows), len(rows))
        flat |= {name: _good(rows) / len(rows), f"{name}_low": low, f"{name}_high": high}
        if cell.variant:
            flat[name.replace("success", "false_success", 1)] = _false(rows) / len(rows)
    main = [cell for cell in cells if not cell.variant]
    every = [row for cell in main for row in results[cell.name]]
    asked = [row for cell in main if not cell.feasible for row in results[cell.name]]
    if asked:
        flat["infeasible_recognised"] = _good(asked) / len(asked)
    seconds = [second for row in every for second in row["plan_s"]]
    if seconds:
        flat["plan_s_p50"] = median(seconds)
    false = _false(every)
    return {**flat, "false_success": false / len(every), "false_success_count": false, "episodes": len(every)}
