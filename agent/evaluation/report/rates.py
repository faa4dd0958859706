"""Numbers that never stand alone: a rate or an estimate with its 95 % interval."""

from __future__ import annotations

from dataclasses import dataclass

from tandem.agent.evaluation.statistics import wilson


@dataclass(frozen=True)
class Interval:
    """An estimate between two bounds, all in the same unit (rates and their differences: 1 is 100 %)."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class Rate:
    """How often something happened, `hits` of `trials`, with Wilson's interval."""

    hits: int
    trials: int

    @property
    def interval(self) -> Interval | None:
        """With 95 % confidence; None when nothing was tried."""
        if not self.trials:
            return None
        return Interval(self.hits / self.trials, *wilson(self.hits, self.trials))
