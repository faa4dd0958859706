"""When a pick has come to nothing, it begins again from the ready posture, where every demonstration begins.

A learned policy that hesitates between two grasps turns its hand a little further with every look, until the wrist is
at its end and the arm in postures that nobody demonstrated. From there it finds no way back by itself.
"""

from __future__ import annotations

import numpy as np

from tandem.bridge.contract import BodySpec
from tandem.policies.learned.way import eased, steps_of

PATIENCE_S = 6.0  # demonstrated picks close the hand within four
_CLOSING = 0.3  # an opening commanded below it
_NEAR_RAD = 0.05
_PACE = 0.7  # of the limits


class Recovery:
    """See the module.

    Args:
        spec: the body's specification.
    """

    def __init__(self, spec: BodySpec):
        self._spec = spec
        self.forget()

    def forget(self) -> None:
        """Another episode: nothing has been tried yet."""
        self._unfinished = self._owed = False
        self._since_s = 0.0

    def begin(self, skill: str, now_s: float) -> None:
        """A subgoal begins; a pick after one that was never finished begins with the way back."""
        self._owed = self._unfinished and skill == "pick"
        self._unfinished, self._since_s = True, now_s

    def commanded(self, opening: float, now_s: float, *, final: bool) -> None:
        """What the network has just asked for: a hand that closes is no hesitation."""
        if opening < _CLOSING:
            self._since_s = now_s
        self._unfinished = not final

    def resumed(self, now_s: float) -> None:
        """The way back is behind the arm; the network drives again."""
        self._owed, self._since_s = False, now_s

    def due(self, skill: str, now_s: float) -> bool:
        """Whether the arm should go back now."""
        return self._owed or (skill == "pick" and now_s - self._since_s > PATIENCE_S)

    def way(self, q: np.ndarray) -> np.ndarray:
        """(T, n + 1) from joints (n,) to the ready posture, rest to rest, the hand open; empty if it is there."""
        spec, far = self._spec, self._spec.home - q
        if np.abs(far).max() <= _NEAR_RAD:
            return np.empty((0, len(q) + 1))
        steps = steps_of(far, _PACE * spec.velocity_limit, _PACE * spec.acceleration_limit, spec.dt_s)
        return np.column_stack([q + eased(steps)[:, None] * far, np.ones(steps)])
