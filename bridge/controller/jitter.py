"""How regular a loop is: a histogram of the time from one turn to the next."""

from __future__ import annotations

from typing import Any

import numpy as np

EDGES_US = (50, 100, 200, 500, 1000, 2000, 5000, 10000, 50000)  # beyond the period
LATE = 1.5  # periods after the last turn


class Jitter:
    """Counts turns.

    Args:
        period_ns: between two turns.

    Attributes:
        late: turns that came more than `LATE` periods after the one before.
        worst: longest time between two turns, ns.
    """

    def __init__(self, period_ns: int):
        self._period, self._last = period_ns, 0
        self.turns = self.late = self.worst = 0
        self._counts = np.zeros(len(EDGES_US) + 1, int)
        self._edges = np.array(EDGES_US) * 1000

    def turn(self, now: int) -> None:
        """A turn begins."""
        if self._last:
            gap = now - self._last
            self.turns += 1
            self.late += gap > LATE * self._period
            self.worst = max(self.worst, gap)
            self._counts[np.searchsorted(self._edges, abs(gap - self._period))] += 1
        self._last = now

    def to_wire(self) -> dict[str, Any]:
        """Plain types only: counts by how far a turn was off, microseconds."""
        names = [f"<={edge}" for edge in EDGES_US] + [f">{EDGES_US[-1]}"]
        return {
            "turns": self.turns, "late": self.late, "worst_us": self.worst / 1000, "period_us": self._period / 1000,
            "off_by_us": dict(zip(names, self._counts.tolist(), strict=True)),
        }
