"""The reference that a chunk stands for: straight lines between its actions, and the splice of a new one.

Action k of a chunk is to be reached at t0 + (k + 1) dt. A new chunk replaces all that is left of the old one: from
where the reference is now, it goes on to the first of its actions whose time has not passed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Chunk:
    """A chunk that was admitted.

    Attributes:
        number: seq of its message.
        t0: base time, ns of the controller's clock.
        dt: ns from one action to the next.
        expires: ns; after it no action of this chunk is carried out.
        rows: (H, n + 1) joints in the specification's order, then the gripper's opening.
    """

    number: int
    t0: int
    dt: int
    expires: int
    rows: np.ndarray

    def due(self, k: int) -> int:
        """When action k is to be reached, ns."""
        return self.t0 + (k + 1) * self.dt

    def first_after(self, now: int) -> int:
        """Index of the first action whose time has not passed; H when there is none."""
        return int(np.clip((now - self.t0) // self.dt, 0, len(self.rows)))

    @property
    def end(self) -> int:
        """When its last action is reached, or its life is over, ns."""
        return min(self.due(len(self.rows) - 1), self.expires)


class Track:
    """A reference in time.

    Args:
        chunk: what to follow.
        now: when it begins, ns.
        start: (n + 1,) where it begins.

    Attributes:
        chunk: what it follows.
        first: index of the first action that is still carried out.
    """

    def __init__(self, chunk: Chunk, now: int, start: np.ndarray):
        self.chunk, self.first = chunk, chunk.first_after(now)
        due = [now, *(chunk.due(k) for k in range(self.first, len(chunk.rows)))]
        self._t0 = now
        self._times = (np.array(due, dtype=np.int64) - now) * 1e-9
        self._rows = np.vstack([start, chunk.rows[self.first:]])

    def sample(self, now: int) -> tuple[np.ndarray, np.ndarray, int]:
        """Reference (n + 1,), its slope (n + 1,) per second, and the index of the action that it goes to."""
        t = (now - self._t0) * 1e-9
        k = int(np.searchsorted(self._times, t, side="right"))
        if k >= len(self._times):
            return self._rows[-1], np.zeros(self._rows.shape[1]), len(self.chunk.rows) - 1
        k = max(k, 1)
        slope = (self._rows[k] - self._rows[k - 1]) / (self._times[k] - self._times[k - 1])
        return self._rows[k - 1] + slope * (t - self._times[k - 1]), slope, self.first + k - 1
