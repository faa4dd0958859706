"""What a training shows while it runs: a bar, the newest figures, and the loss as a little curve."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

_BARS, _WIDTH = "▁▂▃▄▅▆▇█", 60
_EVERY = 20  # lines of figures, where nothing can be drawn over


class Board:
    """Live in a terminal; elsewhere now and then a line.

    Args:
        console: where.
        steps: of the whole training.
        done: of them before it began.
    """

    def __init__(self, console: Console, steps: int, done: int):
        columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
                   TextColumn("left"), TimeRemainingColumn())
        self._console, self._progress = console, Progress(*columns, console=console)
        self._task = self._progress.add_task("", total=steps, completed=done)
        self._figures: dict[str, float] = {}
        self._losses: list[float] = []
        self._live = Live(self._progress, console=console, refresh_per_second=2) if console.is_terminal else None
        self._told = 0

    def __enter__(self) -> Board:
        if self._live is not None:
            self._live.__enter__()
        return self

    def __exit__(self, *how: object) -> None:
        if self._live is not None:
            self._live.__exit__(*how)

    def show(self, step: int, figures: Mapping[str, float]) -> None:
        """The newest figures."""
        self._figures |= figures
        if "loss" in figures:
            self._losses.append(figures["loss"])
        self._progress.update(self._task, completed=step)
        words = "  ".join(f"{name} {value:.4g}" for name, value in self._figures.items())
        if self._live is not None:
            self._live.update(Group(self._progress, Text(sparkline(self._losses), "cyan"), Text(words)))
        elif self._told % _EVERY == 0 or "loss" not in figures:
            self._console.print(f"step {step}  {words}", soft_wrap=True)
        self._told += "loss" in figures


def sparkline(values: list[float], width: int = _WIDTH) -> str:
    """A curve in one line, the newest at the right."""
    if not values:
        return ""
    part = max(1, -(-len(values) // width))
    means = [sum(values[k : k + part]) / len(values[k : k + part]) for k in range(0, len(values), part)]
    low, high = min(means), max(means)
    return "".join(_BARS[round((value - low) / max(high - low, 1e-9) * (len(_BARS) - 1))] for value in means)
