"""What one sees while an evaluation runs: how far it is, its success so far with the interval, and the time left."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from tandem.agent.evaluation.results import INFRASTRUCTURE, Record
from tandem.agent.evaluation.statistics import wilson


class Bar:
    """A context manager.

    Args:
        console: where it is drawn.
        name: what runs.
        planned: episodes.
        done: those that have ended already.
    """

    def __init__(self, console: Console, name: str, planned: int, done: Iterable[Record]):
        done = list(done)
        self._scored = [record.success for record in done if record.success is not None]
        self._broken = 0
        columns = (
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[so_far]}"),
            TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
        )
        self._progress = Progress(*columns, console=console)
        self._bar = self._progress.add_task(name, total=planned, completed=len(done), so_far=self._so_far())

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, record: Record) -> None:
        """A try has ended."""
        if record.kind == INFRASTRUCTURE:
            self._broken += 1
        elif record.success is not None:
            self._scored.append(record.success)
        advance = record.kind != INFRASTRUCTURE
        self._progress.update(self._bar, advance=advance, so_far=self._so_far())

    def _so_far(self) -> str:
        good, n = sum(self._scored), len(self._scored)
        low, high = wilson(good, n)
        told = f"success {good / n:.0%} ({low:.0%} to {high:.0%})" if n else "nothing measured yet"
        return told + (f", [yellow]{self._broken} broken tries[/]" if self._broken else "")
