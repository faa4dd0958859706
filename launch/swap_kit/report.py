"""What the checks found, as a table for people and figures for machines."""

from __future__ import annotations

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table
from swap_kit.checks import Check


def table(planner: str, checks: Sequence[Check]) -> Table:
    """One row for each check."""
    rows = Table(title=f"planner {planner}", title_justify="left")
    for column in ("check", "result", "found"):
        rows.add_column(column)
    for check in checks:
        rows.add_row(check.name, "[green]ok[/]" if check.passed else "[red]FAIL[/]", escape(check.words))
    return rows


def figures(checks: Sequence[Check]) -> dict[str, float | bool]:
    """One flat object: every figure, and whether each check passed."""
    flat: dict[str, float | bool] = {f"{check.name.replace(' ', '_')}_ok": check.passed for check in checks}
    for check in checks:
        flat |= check.figures
    return flat
