"""Following error: an arm that is not where it is told to be is not under control."""

from __future__ import annotations

import numpy as np


class Following:
    """Watches the distance between setpoint and measurement.

    Args:
        limit: rad.
        lasting_ns: how long it may be exceeded.
    """

    def __init__(self, limit: float, lasting_ns: int):
        self._limit, self._lasting_ns, self._since = limit, lasting_ns, -1

    def reset(self) -> None:
        """The setpoint starts anew at the measurement."""
        self._since = -1

    def exceeded(self, setpoint: np.ndarray, position: np.ndarray, now: int) -> int | None:
        """Index of the joint that has been too far away for too long, None when all is well."""
        error = np.abs(setpoint - position)
        worst = int(np.argmax(error))
        if error[worst] <= self._limit:
            self._since = -1
            return None
        self._since = now if self._since < 0 else self._since
        return worst if now - self._since > self._lasting_ns else None
