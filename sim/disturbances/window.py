"""A stretch of time drawn at random: when a trouble begins and when it is over."""

from __future__ import annotations

import numpy as np

ROUNDING_S = 1e-6  # the clock of physics is a sum of steps


class Window:
    """Begins between two times and lasts for a while.

    Args:
        rng: the random generator.
        now_s: time of the episode.
        earliest_s: not before so much later.
        latest_s: not after so much later.
        lasting_s: for so long.
    """

    def __init__(self, rng: np.random.Generator, now_s: float, earliest_s: float, latest_s: float, lasting_s: float):
        self._begin_s = now_s + float(rng.uniform(earliest_s, latest_s))
        self._end_s = self._begin_s + lasting_s
        self.open = False

    def edge(self, time_s: float) -> str | None:
        """"begin" or "end" on the first call within or after it, else None."""
        was, self.open = self.open, self._begin_s <= time_s + ROUNDING_S < self._end_s
        return None if was == self.open else "begin" if self.open else "end"
