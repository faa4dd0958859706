"""The geometry of an episode's chart: time runs over 1000 units, whatever the page makes of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tandem.agent.evaluation.report.story import Story, Tried
from tandem.agent.evaluation.report.words import said
from tandem.bridge.contract import EventKind

WIDE, HIGH = 1000.0, 48.0  # of one plot
_SLACK = 0.25  # units by which a drawn line may miss its points, more where it would need too many
_POINTS = 400  # of one line
_SMALLEST = 0.02  # rad, or opening: what moves less is drawn as still


@dataclass(frozen=True)
class Tick:
    """A mark on the time axis, at `x` of `WIDE`."""

    x: float
    words: str


@dataclass(frozen=True)
class Bar:
    """One attempt: where it stands, which it was, and how it is judged ("yes", "no", "unknown")."""

    x: float
    width: float
    number: int
    words: str
    state: str
    claimed: str
    seen: str
    measured: str


@dataclass(frozen=True)
class Mark:
    """Something that happened at one moment; `kind` is of `EventKind`."""

    x: float
    time_s: float
    kind: str
    words: str


@dataclass(frozen=True)
class Plot:
    """One joint, or the gripper: two lines in a box of `WIDE` by `HIGH`, from `low` at the bottom to `high`."""

    name: str
    unit: str
    low: float
    high: float
    command: str
    measured: str


@dataclass(frozen=True)
class Axis:
    """Body time from `start_s` to `end_s` along the chart."""

    start_s: float
    end_s: float

    def at(self, time_s: np.ndarray | float) -> np.ndarray | float:
        """Where a body time stands, 0 .. `WIDE`."""
        return (time_s - self.start_s) / (self.end_s - self.start_s) * WIDE

    def ticks(self) -> Iterator[Tick]:
        """About six round numbers."""
        raw = (self.end_s - self.start_s) / 6
        power = 10.0 ** math.floor(math.log10(raw))
        step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw)
        for number in range(math.ceil(self.start_s / step - 1e-9), math.floor(self.end_s / step + 1e-9) + 1):
            yield Tick(self.at(number * step), f"{number * step:g}")


@dataclass(frozen=True)
class Chart:
    """Everything drawn along body time; `held` are stretches (x, width) under the last command."""

    axis: Axis
    ticks: tuple[Tick, ...]
    bars: tuple[Bar, ...]
    marks: tuple[Mark, ...]
    plots: tuple[Plot, ...]
    held: tuple[tuple[float, float], ...]

    @property
    def disturbances(self) -> list[Mark]:
        """They are drawn through every plot."""
        return [mark for mark in self.marks if mark.kind == EventKind.DISTURBANCE]


def chart(story: Story) -> Chart:
    """Of one episode."""
    axis = Axis(story.start_s, max(story.end_s, story.start_s + 1e-3))
    plans = [Mark(axis.at(time_s), time_s, "plan", "planner call") for time_s, _ in story.plans]
    events = [Mark(axis.at(event.time_s), event.time_s, str(event.kind), event.message) for event in story.events]
    bars = tuple(_bar(one, axis) for one in story.tried)
    return Chart(
        axis, tuple(axis.ticks()), bars, (*plans, *events), tuple(_plots(story, axis)), tuple(_held(story, axis))
    )


def _bar(tried: Tried, axis: Axis) -> Bar:
    x = axis.at(tried.start_s)
    width = max(1.0, axis.at(min(tried.end_s, axis.end_s)) - x)
    state = said(not tried.failure if tried.ended else None)
    return Bar(x, width, tried.number, tried.words, state, said(tried.claimed), said(tried.seen), said(tried.measured))


def _plots(story: Story, axis: Axis) -> Iterator[Plot]:
    series = story.series
    for column, name in enumerate(series.names if series else ()):
        both = np.concatenate([series.command[:, column], series.measured[:, column]])
        both = both[np.isfinite(both)]
        if not both.size:
            continue
        low, high = _range(float(both.min()), float(both.max()))
        lines = (
            _line(axis.at(times), (high - values[:, column]) / (high - low) * HIGH)
            for times, values in ((series.command_s, series.command), (series.measured_s, series.measured))
        )
        yield Plot(name, "" if column == len(series.names) - 1 else "rad", low, high, *lines)


def _range(low: float, high: float) -> tuple[float, float]:
    missing = max(0.0, _SMALLEST - (high - low)) / 2
    room = 0.06 * max(high - low, _SMALLEST)
    return low - missing - room, high + missing + room


def _line(x: np.ndarray, y: np.ndarray) -> str:
    """The points of a polyline, without those that nobody would miss."""
    sound = np.isfinite(x) & np.isfinite(y)
    points, slack = np.column_stack([x, y])[sound], _SLACK
    while (keep := _kept(points, slack)).sum() > _POINTS:
        slack *= 2
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points[keep])


def _kept(points: np.ndarray, slack: float) -> np.ndarray:
    """Which points are needed (Ramer 1972, by height: time is exact)."""
    keep = np.zeros(len(points), bool)
    keep[[0, -1] if len(points) else []] = True
    spans = [(0, len(points) - 1)]
    while spans:
        first, last = spans.pop()
        if last - first < 2:
            continue
        x, y = points[first : last + 1].T
        misses = np.abs(y - np.interp(x, x[[0, -1]], y[[0, -1]]))
        worst = int(misses.argmax())
        if misses[worst] > slack:
            keep[first + worst] = True
            spans += [(first, first + worst), (first + worst, last)]
    return keep


def _held(story: Story, axis: Axis) -> Iterator[tuple[float, float]]:
    if story.series is None:
        return
    edges = np.flatnonzero(np.diff(np.concatenate([[False], story.series.held, [False]]).astype(int)))
    for first, last in edges.reshape(-1, 2):
        x = axis.at(story.series.command_s[first])
        yield x, max(0.5, axis.at(story.series.measured_s[last - 1]) - x)
