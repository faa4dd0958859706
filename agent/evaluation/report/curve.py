"""The geometry of a curve of success over control steps: a band, a line and points in a box of 1000 by 200."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tandem.agent.evaluation.report.sections import CurvePoint, PointOfNoReturn

WIDE, HIGH = 1000.0, 200.0


@dataclass(frozen=True)
class Curve:
    """Points for SVG: the polygon of the intervals, the line of the estimates, and (x, of the point of no return)."""

    band: str
    line: str
    dots: tuple[tuple[float, float, str], ...]
    turn: float | None
    first: int
    last: int


def curve(section: PointOfNoReturn) -> Curve | None:
    """None when no step was tried."""
    tried = [point for point in section.curve if point.success.interval]
    if not tried:
        return None
    first, last = tried[0].step, tried[-1].step

    def x(step: int) -> float:
        return (step - first) / max(1, last - first) * WIDE

    low = _points([(x(point.step), point.success.interval.low) for point in tried])
    high = _points([(x(point.step), point.success.interval.high) for point in reversed(tried)])
    line = _points([(x(point.step), point.success.interval.estimate) for point in tried])
    dots = tuple((x(point.step), (1 - point.success.interval.estimate) * HIGH, _words(point)) for point in tried)
    return Curve(f"{high} {low}", line, dots, None if section.step is None else x(section.step), first, last)


def _points(pairs: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{(1 - rate) * HIGH:.1f}" for x, rate in pairs)


def _words(point: CurvePoint) -> str:
    return f"step {point.step} ({point.time_s:.1f} s): {point.success.hits} of {point.success.trials}"
