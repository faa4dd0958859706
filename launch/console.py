"""Shows an episode in the terminal while it runs: a live table of subgoals, a progress bar, a summary at the end."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from rich.console import Console as Terminal
from rich.console import Group
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from tandem.bridge.contract import EpisodeResult, EpisodeStart, Event, EventKind, Step

REFRESH_HZ = 8
_OUTCOMES = {"success": "[green]yes[/]", "failure": "[red]no[/]", "inconclusive": "[yellow]unsure[/]"}


def mark(value: bool | None) -> str:
    """A coloured yes, no or dash."""
    return "[dim]-[/]" if value is None else "[green]yes[/]" if value else "[red]no[/]"


class Row:
    """One attempt at a subgoal."""

    def __init__(self, words: str):
        self.words, self.phase = words, ""
        self.attempt: Mapping[str, Any] | None = None  # `Attempt.to_dict` once it has ended

    def cells(self, number: int) -> tuple[str, ...]:
        """Its line of the table."""
        if self.attempt is None:
            return str(number), escape(self.words), "", "", "", f"[cyan]{escape(self.phase or 'starting')}[/]", ""
        done, seen = self.attempt, self.attempt["seen"]
        ending = f"[red]{done['failure']}[/] [dim]{escape(done['detail'])}[/]" if done["failure"] else "[green]done[/]"
        return (
            str(number), escape(self.words), mark(done["claimed"]), _OUTCOMES[seen["outcome"]] if seen else mark(None),
            mark(done["measured"]), ending, f"{done['end_s'] - done['start_s']:.1f} s",
        )


class Console:
    """A subscriber that draws. Without a terminal it prints each finished table once.

    Args:
        horizon_s: body time that the progress bar counts up to.
        title: above the table.

    Attributes:
        begun: an episode has begun, so that its end will be told here.
    """

    def __init__(self, horizon_s: float, title: str = ""):
        self.terminal = Terminal(highlight=False, width=None if sys.stdout.isatty() else 120)
        self.begun = False
        self._rows: list[Row] = []
        self._title = title
        moment = TextColumn("{task.completed:.1f} s {task.description}")
        self._bar = Progress(TextColumn("body time"), BarColumn(40), moment)
        self._task = self._bar.add_task("", total=horizon_s)
        self._live = Live(console=self.terminal, refresh_per_second=REFRESH_HZ, get_renderable=self._picture)

    def on_episode_start(self, start: EpisodeStart) -> None:
        """Say what is asked."""
        self.begun = True
        self.terminal.print(f"[bold]{escape(start.instruction)}[/]  [dim]{start.spec.robot} {escape(self._title)}[/]")
        self._live.start()

    def on_step(self, step: Step) -> None:
        """Move the bar."""
        time_s = float(step.observation["time"][0])
        self._bar.update(self._task, completed=time_s, description=step.phase)
        if self._rows:
            self._rows[-1].phase = step.phase

    def on_event(self, event: Event) -> None:
        """Note plans, subgoals and troubles."""
        if event.kind is EventKind.SUBGOAL_START:
            self._rows.append(Row(event.message))
        elif event.kind is EventKind.SUBGOAL_END and self._rows:
            self._rows[-1].attempt = event.data
        elif event.kind in (EventKind.PLAN, EventKind.RECOVERY, EventKind.DISTURBANCE, EventKind.FAILURE):
            self._live.console.print(f"[dim]{event.time_s:6.1f} s[/]  {event.kind:12} {escape(event.message)}")

    def on_episode_end(self, result: EpisodeResult) -> None:
        """Leave the finished table, and the summary below it."""
        self._bar.update(self._task, completed=result.body_s, description="")
        self._live.stop()
        self.terminal.print(summary(result))

    def _picture(self) -> Group:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for name in ("#", "subgoal", "claimed", "seen", "measured", "state", "time"):
            table.add_column(name, overflow="fold")
        for number, row in enumerate(self._rows, 1):
            table.add_row(*row.cells(number))
        return Group(table, self._bar)


def summary(result: EpisodeResult) -> str:
    """The last lines: claimed, seen, measured, and how long it took."""
    verdict = "[bold green]success[/]" if result.success else "[bold red]no success[/]"
    if result.infeasible and result.success:
        verdict = "[bold green]rightly refused[/]"
    if result.success is None:
        verdict = "[yellow]not measured[/]"
    lines = [
        f"{verdict}   claimed {mark(result.claimed)}   seen {mark(result.seen)}   measured {mark(result.measured)}"
        + ("   [dim]ground truth was used (privileged)[/]" if result.privileged else ""),
        f"[dim]{len(result.attempts)} subgoals tried, {result.plans} plans, {result.body_s:.1f} s of body time in "
        f"{result.wall_s:.1f} s, {result.steps} steps[/]",
    ]
    if result.infeasible:
        lines.insert(1, f"it cannot be done: {escape(result.reason)}")
    elif result.failure:
        lines.insert(1, f"[red]{result.failure}[/] {escape(result.reason)}")
    return "\n".join(lines)
