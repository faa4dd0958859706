"""How the page says numbers and verdicts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tandem.agent.evaluation.report.rates import Rate
from tandem.agent.evaluation.report.summary import Summary


def percent(value: float) -> str:
    """1 is 100 %; no decimals, as so few episodes carry none."""
    return f"{100 * value:.0f} %"


def number(value: float) -> str:
    """With two decimals and a real minus; no minus before nothing."""
    return f"{value + 0.0:.2f}".replace("-0.00", "0.00").replace("-", "−")


def count(how_many: int, one: str, many: str = "") -> str:
    """So many of a thing."""
    return f"{how_many} {one if how_many == 1 else many or one + 's'}"


def points(value: float) -> str:
    """A difference of rates, with its sign."""
    return f"{100 * value:+.0f}".replace("-", "−")


def seconds(value: float | None) -> str:
    """With one decimal; a dash for None."""
    return "–" if value is None else f"{value:.1f} s"


def said(value: bool | None) -> str:
    """A judgement as a word: yes, no, unknown."""
    return "unknown" if value is None else "yes" if value else "no"


def quantity(value: float, unit: str) -> str:
    """Metres and radians to three digits, small ones in thousandths."""
    if unit == "m" and abs(value) < 0.1:
        return f"{1000 * value:.3g} mm"
    if unit == "rad" and 0 < abs(value) < 0.01:
        return f"{1000 * value:.3g} mrad"
    return f"{value:.3g} {unit}"


def brief(text: str, limit: int = 500) -> str:
    """A text of a log, cut with an ellipsis when it is longer than that."""
    return text if len(text) <= limit else f"{text[:limit].rstrip()}…"


def value(thing: Any) -> str:
    """A value of a plan on one line."""
    return brief(thing if isinstance(thing, str) else json.dumps(thing, ensure_ascii=False, default=str), 1000)


def headline(summaries: Sequence[Summary]) -> str:
    """The verdict in a sentence or two."""
    if len(summaries) > 1:
        parts = (f"{summary.label}: {_rate(summary.total.success, 'succeeded')}" for summary in summaries)
        return "; ".join(parts)
    total = summaries[0].total
    false = total.false_success.hits
    sentence = _rate(total.success, "episodes succeeded")
    return sentence if not false else f"{sentence}, {count(false, 'claim was', 'claims were')} not true"


def _rate(rate: Rate, what: str) -> str:
    return f"{rate.hits} of {rate.trials} {what}" if rate.trials else "no episode was measured"
