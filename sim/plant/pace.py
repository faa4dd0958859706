"""Turns at a steady rate, by absolute deadlines of the monotonic clock."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

import numpy as np

BEHIND_NS = 50_000_000  # time that is caught up on; what is more is dropped
_KEPT = 2000  # turns that the figures are about


class Pace:
    """Waits for the next turn.

    A turn that comes late is followed by others without a wait, until the deadlines are met again. Who falls too far
    behind drops the deficit, so that simulated time runs slower than the clock, and waits a whole turn: under real-time
    scheduling nobody else would get the core.

    Args:
        hz: turns per second.
    """

    def __init__(self, hz: float):
        self._period = round(1e9 / hz)
        self._turns = self._dropped_ns = self._drops = 0
        self._busy: deque[int] = deque(maxlen=_KEPT)
        self.restart()

    def restart(self) -> None:
        """The next turn is a whole period from now, whatever was missed."""
        self._begun = time.monotonic_ns()
        self._due = self._begun + self._period

    def wait(self) -> None:
        """A turn is done: wait for the next."""
        now = time.monotonic_ns()
        self._busy.append(now - self._begun)
        self._turns += 1
        if now - self._due > BEHIND_NS:
            self._drops, self._dropped_ns = self._drops + 1, self._dropped_ns + now - self._due
            self._due = now + self._period
        if self._due > now:
            time.sleep((self._due - now) * 1e-9)
        self._begun = time.monotonic_ns()
        self._due += self._period

    def figures(self) -> dict[str, Any]:
        """Turns so far, how often and how much time was dropped, and how long the last turns took, microseconds."""
        busy = np.array(self._busy) * 1e-3 if self._busy else np.zeros(1)
        median, late = np.percentile(busy, [50, 99])
        return {
            "turns": self._turns, "drops": self._drops, "dropped_s": self._dropped_ns * 1e-9,
            "median_us": float(median), "p99_us": float(late), "worst_us": float(busy.max()),
        }
