"""Drawers that were pulled open: what a plan pointed at while they were shut lies in front of their inside now.

How far one came out, and which way, the fingertips tell that pulled it: they went level from where they took the handle
to where they let go of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

LEVEL_M = 0.02  # the fingertips pull at one height
SHORT_M, LONG_M = 0.03, 0.4  # a pull is no shorter and no longer
BEHIND = 0.25  # share of the pull: a point that lies further behind the shut handle is as old as that


class Opened:
    """Follows drawers by the words for their handles."""

    def __init__(self):
        self._pulls: dict[str, tuple[np.ndarray, np.ndarray]] = {}  # where the handle was (2,), how far it went (2,)

    def clear(self) -> None:
        """Another episode."""
        self._pulls.clear()

    def pulled(self, handle: str, tips: Sequence[np.ndarray]) -> None:
        """A handle was seen pulled; (N, 3) the way of the fingertips meanwhile."""
        way = np.reshape(tips, (-1, 3))
        low = way[way[:, 2] < way[:, 2].min(initial=np.inf) + LEVEL_M]
        pull = low[-1, :2] - low[0, :2] if len(low) else np.zeros(2)
        if SHORT_M < np.linalg.norm(pull) < LONG_M:
            self._pulls[_drawer(handle)] = low[0, :2], pull

    def pushed(self, handle: str) -> None:
        """A handle was seen pushed back."""
        self._pulls.pop(_drawer(handle), None)

    def inside(self, drawer: str, place: np.ndarray) -> np.ndarray:
        """Where a thing lies (3,) that was put into a drawer at a place (3,) that was pointed at."""
        if drawer not in self._pulls:
            return place
        handle, pull = self._pulls[drawer]
        length = float(np.linalg.norm(pull))
        if (place[:2] - handle) @ pull / length > -BEHIND * length:
            return place
        return np.array([*(place[:2] + pull / 2), place[2] / 2])  # half way down into it


def _drawer(handle: str) -> str:
    return handle.removesuffix(" handle")
