"""The reference that a chunk stands for: straight lines between its actions, and the splice of a new one.

Action k of a chunk is to be reached at t0 + (k + 1) dt. A new chunk replaces all that is left of the old one: from
where the reference is now, it goes on to the first of its actions whose time has not passed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

WINDOW_S = 0.05  # over which the reference is averaged


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

    What is followed is the average of the straight lines over the last `window_s`: a quadratic B-spline of the actions,
    whose velocity is continuous and whose acceleration is that of the actions themselves. So actions within the limits
    make a reference within the limits, half a window late, and a splice never shows in the velocity.

    Args:
        chunk: what to follow.
        now: when it begins, ns.
        start: (n + 1,) where it begins, when there is no track before it.
        before: the track that it takes over from, None for none.
        window_s: at most; a chunk's dt if that is less.

    Attributes:
        chunk: what it follows.
        first: index of the first action that is still carried out.
    """

    def __init__(self, chunk: Chunk, now: int, start: np.ndarray, before: Track | None, *, window_s: float = WINDOW_S):
        self.chunk, self.first, self._origin = chunk, chunk.first_after(now), now
        self._window = min(window_s, chunk.dt * 1e-9) if before is None else before._window
        past_times, past_rows = ([], []) if before is None else before._recent(now)
        here = start if before is None else before._line(before._since(now))
        ahead = [(chunk.due(k) - now) * 1e-9 for k in range(self.first, len(chunk.rows))]
        self._times = np.array([*past_times, 0.0, *ahead])
        self._rows = np.vstack([*past_rows, here, chunk.rows[self.first:]])
        areas = np.diff(self._times)[:, None] * (self._rows[1:] + self._rows[:-1]) / 2
        self._area = np.vstack([np.zeros(self._rows.shape[1]), np.cumsum(areas, axis=0)])
        self._future = len(past_times) + 1  # index of the first action's knot

    def _since(self, now: int) -> float:
        return (now - self._origin) * 1e-9

    def _recent(self, now: int) -> tuple[list[float], list[np.ndarray]]:
        """Knots of the last window before `now`, times relative to it."""
        t = self._since(now)
        edge = t - self._window
        kept = [k for k in range(len(self._times)) if edge < self._times[k] < t]
        times, rows = [self._times[k] - t for k in kept], [self._rows[k] for k in kept]
        return [-self._window, *times], [self._line(edge), *rows]

    def _line(self, t: float) -> np.ndarray:
        k = int(np.searchsorted(self._times, t, side="right"))
        if k == 0:
            return self._rows[0]
        if k == len(self._times):
            return self._rows[-1]
        share = (t - self._times[k - 1]) / (self._times[k] - self._times[k - 1])
        return self._rows[k - 1] + share * (self._rows[k] - self._rows[k - 1])

    def _slope(self, t: float) -> np.ndarray:
        k = int(np.searchsorted(self._times, t, side="right"))
        if k in (0, len(self._times)):
            return np.zeros(self._rows.shape[1])
        return (self._rows[k] - self._rows[k - 1]) / (self._times[k] - self._times[k - 1])

    def _integral(self, t: float) -> np.ndarray:
        k = int(np.searchsorted(self._times, t, side="right"))
        if k == 0:
            return (t - self._times[0]) * self._rows[0]
        k -= 1
        return self._area[k] + (t - self._times[k]) * (self._rows[k] + self._line(t)) / 2

    def sample(self, now: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
        """Reference (n + 1,), its first and second derivative, and the index of the action that the line goes to."""
        t, w = self._since(now), self._window
        position = (self._integral(t) - self._integral(t - w)) / w
        velocity = (self._line(t) - self._line(t - w)) / w
        acceleration = (self._slope(t) - self._slope(t - w)) / w
        k = int(np.searchsorted(self._times, t, side="right"))
        index = self.first + max(k - self._future, 0)
        return position, velocity, acceleration, min(index, len(self.chunk.rows) - 1)
