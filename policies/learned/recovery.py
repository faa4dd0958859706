"""When a pick has come to nothing, it begins again from the ready posture, where every demonstration begins.

A learned policy that hesitates between two grasps turns its hand a little further with every look, until the wrist is
at its end and the arm in postures that nobody demonstrated. From there it finds no way back by itself.
"""

from __future__ import annotations

import numpy as np

from tandem.bridge.contract import BodySpec

PATIENCE_S = 6.0  # demonstrated picks close the hand within four
_CLOSING = 0.3  # an opening commanded below it
_NEAR_RAD = 0.05
_PACE = 0.5  # of the velocity limit


class Recovery:
    """See the module.

    Args:
        spec: the body's specification.
    """

    def __init__(self, spec: BodySpec):
        self._home, self._most = spec.home, _PACE * spec.velocity_limit * spec.dt_s
        self.forget()

    def forget(self) -> None:
        """Another episode: nothing has been tried yet."""
        self._unfinished = self._returning = False
        self._since_s = 0.0

    def begin(self, skill: str, now_s: float) -> None:
        """A subgoal begins; a pick after one that was never finished begins with the way back."""
        self._returning = self._unfinished and skill == "pick"
        self._unfinished, self._since_s = True, now_s

    def commanded(self, opening: float, now_s: float, *, final: bool) -> None:
        """What the network has just asked for: a hand that closes is no hesitation."""
        if opening < _CLOSING:
            self._since_s = now_s
        self._unfinished = not final

    def due(self, skill: str, q: np.ndarray, now_s: float) -> bool:
        """Whether the arm should go on its way back, from joints (n,)."""
        if self._returning:
            self._returning = np.abs(q - self._home).max() > _NEAR_RAD
            if not self._returning:
                self._since_s = now_s
        elif skill == "pick" and now_s - self._since_s > PATIENCE_S:
            self._returning = True
        return self._returning

    def way(self, q: np.ndarray, steps: int) -> np.ndarray:
        """(steps, n + 1) the next piece of it, the hand open."""
        rows = np.ones((steps, len(q) + 1))
        for row in rows:
            row[:-1] = q = q + np.clip(self._home - q, -self._most, self._most)
        return rows
