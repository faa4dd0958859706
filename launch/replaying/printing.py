"""Verdicts as tables for people and as plain data for machines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from replaying.branch import Course
from rich.console import Console
from rich.table import Table

from tandem.agent.evaluation.divergence import Finding, Status
from tandem.agent.evaluation.statistics import wilson

COLOURS = {Status.EXACT: "green", Status.TOLERATED: "green", Status.DIVERGED: "red", Status.INCOMPARABLE: "yellow"}
MOST = 12  # rows of a layer's table


def print_findings(found: Sequence[Finding], console: Console) -> None:
    """One line per layer, then what diverged, worst first."""
    table = Table("layer", "verdict", "compared")
    for one in found:
        table.add_row(one.layer, f"[{COLOURS[one.status]}]{one.verdict}[/]", one.words)
    console.print(table)
    for one in found:
        moved = [row for row in one.rows if row.peak > 0]
        if moved and one.status is not Status.EXACT:
            _print_rows(one, moved, console)
    culprit = next((one for one in found if one.status is Status.DIVERGED), None)
    if culprit is not None and len(found) > 1:
        console.print(f"The first layer that differs: [bold]{culprit.layer}[/], {culprit.verdict}.")


def _print_rows(one: Finding, rows: list[Any], console: Console) -> None:
    table = Table("", "beyond tolerance from step", "largest", "at step", "in the end", "tolerance", title=one.layer)
    for row in rows[:MOST]:
        first = "never" if row.first is None else str(row.first)
        figures = (f"{row.peak:.3g} {row.unit}", str(row.peak_step), f"{row.end:.3g} {row.unit}")
        table.add_row(row.name, first, *figures, f"{row.tolerance:g} {row.unit}")
    console.print(table)
    if len(rows) > MOST:
        console.print(f"[dim]and {len(rows) - MOST} more; --json has them all[/]")


def print_courses(courses: Sequence[Course], step: int, console: Console) -> None:
    """One line per branch, and how many succeeded."""
    table = Table("branch", "success", "claimed", "failure", "progress", "steps", title=f"from step {step} on")
    for one in courses:
        progress = "" if one.progress is None else f"{one.progress:.2f}"
        words = (_word(one.success), _word(one.claimed), one.failure or "")
        table.add_row(str(one.seed), *words, progress, str(one.steps))
    console.print(table)
    good = sum(bool(one.success) for one in courses)
    low, high = wilson(good, len(courses))
    console.print(f"{good} of {len(courses)} succeeded ({low:.0%} to {high:.0%} with 95 % confidence)")
    deviated = [one.deviated for one in courses if one.deviated is not None]
    if deviated:
        console.print(f"[yellow]before the fork the policy did otherwise than logged, from step {min(deviated)} on[/]")


def _word(value: bool | None) -> str:
    return "unknown" if value is None else "yes" if value else "no"


def exit_code(found: Sequence[Finding]) -> int:
    """0 all the same, 1 something diverged, 3 nothing did but something could not be compared."""
    if any(one.status is Status.DIVERGED for one in found):
        return 1
    return 3 if any(one.status is Status.INCOMPARABLE for one in found) else 0
