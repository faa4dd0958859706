"""What is told when an evaluation ends, or is stopped: a line for each task, and what broke apart from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from comparison_tables import figures_cells
from rich.console import RenderableType
from rich.table import Table

from tandem.agent.evaluation.results import Address
from tandem.agent.evaluation.summary import Figures, Summary

_COLUMNS = ("task", "episodes", "success", "95 %", "progress", "false success", "plans", "plan p50/p95", "stale",
            "to success", "failures", "infra")
_SHOWN = 20  # names of what broke every time


def parts(summary: Summary, hopeless: Iterable[Address]) -> Iterator[RenderableType]:
    """What to print, in order."""
    shown = Table(title=summary.name, title_justify="left")
    for name in _COLUMNS:
        shown.add_column(name, justify="left" if name in ("task", "failures") else "right", overflow="fold")
    each = summary.planned // max(1, len(summary.tasks))
    for task, figures in summary.tasks.items():
        shown.add_row(task, f"{figures.episodes}/{each}", *figures_cells(figures))
    if len(summary.tasks) > 1:
        shown.add_section()
        shown.add_row("all", f"{summary.overall.episodes}/{summary.planned}", *figures_cells(summary.overall))
    yield shown
    yield from _notes(summary.overall, list(hopeless))


def _notes(figures: Figures, hopeless: list[Address]) -> Iterator[str]:
    if figures.privileged:
        yield f"ground truth was used in {figures.privileged} episodes (privileged)"
    if figures.infrastructure_errors:
        names = ", ".join(f"{name} {count}" for name, count in figures.infrastructure.items())
        yield (f"[yellow]{figures.infrastructure_errors}[/] tries broke for reasons that are not the agent's, and "
               f"count for nothing: {names}")
    if hopeless:
        yield f"[red]{len(hopeless)} episodes broke every time and have no result; --resume tries them again:[/]"
        yield from (f"  {task} {index} (seed {seed})" for task, index, seed in hopeless[:_SHOWN])
        if len(hopeless) > _SHOWN:
            yield f"  and {len(hopeless) - _SHOWN} more"
