"""How the page says numbers and verdicts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tandem.agent.evaluation.report.rates import Interval, Rate
from tandem.agent.evaluation.report.summary import Summary


def percent(value: float) -> str:
    """1 is 100 %; no decimals, as so few episodes carry none."""
    return f"{100 * value:.0f} %"


def points(value: float) -> str:
    """A difference of rates, with its sign."""
    return f"{100 * value:+.0f}".replace("-", "−")


def seconds(value: float | None) -> str:
    """With one decimal; a dash for None."""
    return "–" if value is None else f"{value:.1f} s"


def said(value: bool | None) -> str:
    """A judgement as a word: yes, no, unknown."""
    return {True: "yes", False: "no"}.get(value, "unknown")


def quantity(value: float, unit: str) -> str:
    """Metres and radians to three digits, small ones in thousandths."""
    if unit == "m" and abs(value) < 0.1:
        return f"{1000 * value:.3g} mm"
    if unit == "rad" and 0 < abs(value) < 0.01:
        return f"{1000 * value:.3g} mrad"
    return f"{value:.3g} {unit}"


def value(thing: Any) -> str:
    """A value of a plan on one line."""
    if isinstance(thing, str):
        return thing
    text = json.dumps(thing, ensure_ascii=False, default=str)
    return text if len(text) <= 600 else f"{text[:600]}…"


def headline(summaries: Sequence[Summary]) -> str:
    """The verdict in a sentence or two."""
    if len(summaries) > 1:
        return "; ".join(f"{summary.label}: {_rate(summary.total.success, 'succeeded')}" for summary in summaries)
    return _rate(summaries[0].total.success, "episodes succeeded").capitalize()


def _rate(rate: Rate, what: str) -> str:
    span: Interval | None = rate.interval
    if span is None:
        return "no episode was measured"
    return f"{rate.hits} of {rate.trials} {what}"
