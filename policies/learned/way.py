"""A motion that is known to its end, handed out in pieces of which anyone may carry out as much as he likes."""

from __future__ import annotations

import numpy as np

_ASTRAY_RAD = 0.25  # further from the last row than any servo lags behind


class Way:
    """See the module.

    Args:
        rows: (T, n + 1) commands at every control step, the opening last.
        piece: rows that are handed out at once, at most.
        phase: what it is for.
    """

    def __init__(self, rows: np.ndarray, piece: int, phase: str):
        self.phase, self._rows, self._piece = phase, rows, piece
        self._at = self._behind = 0

    def carried_out(self, count: int) -> None:
        """So many rows of the last piece are behind the arm; without a word all of them are."""
        self._behind = min(count, self._behind)

    def ahead(self, q: np.ndarray) -> np.ndarray:
        """(k, n + 1) the next piece, empty at the end; from the nearest row on if joints (n,) are far from the last."""
        self._at += self._behind
        if self._at:
            gone = np.abs(self._rows[:self._at, :-1] - q).max(1)
            if gone[-1] > _ASTRAY_RAD:
                self._at = int(gone.argmin()) + 1
        piece = self._rows[self._at:self._at + self._piece]
        self._behind = len(piece)
        return piece


def eased(steps: int) -> np.ndarray:
    """(steps,) shares of a way from rest to rest, the last one 1, with the least jerk (Flash and Hogan 1985)."""
    t = np.arange(1, steps + 1) / steps
    return t**3 * (10 - 15 * t + 6 * t**2)


def steps_of(distance: np.ndarray, velocity: np.ndarray, acceleration: np.ndarray, dt_s: float) -> int:
    """Control steps that an eased way takes which keeps within limits.

    Args:
        distance: (n,) of each joint, rad.
        velocity: (n,) rad/s.
        acceleration: (n,) rad/s^2.
        dt_s: seconds of a step.
    """
    far = np.abs(distance)
    lasts_s = max((1.875 * far / velocity).max(), np.sqrt(5.774 * far / acceleration).max())
    return max(1, int(np.ceil(lasts_s / dt_s)))
