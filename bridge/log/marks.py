"""Claimed, seen, measured: the three answers that are kept apart wherever an outcome is shown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tandem.bridge.contract.episode import EpisodeResult
from tandem.bridge.contract.plan import Attempt, Outcome
from tandem.bridge.log import typography as type_

_OUTCOMES = {Outcome.SUCCESS: True, Outcome.FAILURE: False, Outcome.INCONCLUSIVE: None}


@dataclass(frozen=True)
class Marks:
    """What the agent claims, the verifier sees and the predicate measures; None where nobody knows."""

    claimed: bool | None
    seen: bool | None
    measured: bool | None

    @classmethod
    def of(cls, outcome: Attempt | EpisodeResult) -> Marks:
        """Those of one subgoal or of a whole episode."""
        seen = outcome.seen
        if isinstance(outcome, Attempt):
            seen = None if outcome.seen is None else _OUTCOMES[outcome.seen.outcome]
        return cls(outcome.claimed, seen, outcome.measured)

    @property
    def colour(self) -> type_.Colour:
        """Green when it is true as far as anybody knows, red when not, amber when nobody knows."""
        known = [value for value in (self.measured, self.seen, self.claimed) if value is not None]
        if not known:
            return type_.UNSURE
        return type_.GOOD if known[0] else type_.BAD


def draw(canvas: np.ndarray, at: tuple[int, int], size: int, marks: Marks) -> int:
    """The three words with their marks, baseline starting at (x, y); returns the x where they end."""
    x, y = at
    for name, value in vars(marks).items():
        type_.mark(canvas, (x + 0.4 * size, y - 0.34 * size), 0.66 * size, value)
        x = type_.write(canvas, name, (round(x + 1.25 * size), y), size, type_.MUTED) + size
    return x - size


def width(size: int) -> int:
    """How wide `draw` is, whatever the marks."""
    return sum(round(2.25 * size) + type_.width(name, size) for name in Marks.__dataclass_fields__) - size
