"""What has come to nothing begins again from the ready posture, where every demonstration of a pick begins.

A learned policy that hesitates between two grasps, or two ways over a bin, turns its hand a little further with every
look, until the wrist is at its end and the arm in postures that nobody demonstrated. From there it finds no way back by
itself. A pick begins again with an open hand; a place goes back with what it holds.
"""

from __future__ import annotations

import numpy as np

from tandem.bridge.contract import BodySpec
from tandem.policies.learned.way import eased, steps_of

PATIENCE_S = {"pick": 6.0, "place": 8.0}  # demonstrated picks close the hand within four, places open it within six
_BOLD = 0.7  # of the patience
_CLOSING, _OPENING = 0.3, 0.7  # an opening commanded below it, above it
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

    def commanded(self, skill: str, openings: np.ndarray, now_s: float, *, final: bool) -> None:
        """What the network has just asked for, openings (T,).

        A pick that closes the hand does not hesitate, nor does a place that opens it.
        """
        goes_on = openings.min() < _CLOSING if skill == "pick" else openings.max() > _OPENING
        if goes_on:
            self._since_s = now_s
        self._unfinished = not final

    def chosen(self, skill: str, openings: np.ndarray, now_s: float) -> int:
        """Which of several chunks, openings (N, T), is carried out.

        The first, which is nearest to their mean; but where most of the patience for a place is gone the one that opens
        the hand furthest: a mean of some that let go and some that wait waits for ever.
        """
        bold = skill == "place" and now_s - self._since_s >= _BOLD * PATIENCE_S[skill]
        return int(openings.max(1).argmax()) if bold else 0

    def resumed(self, now_s: float) -> None:
        """The way back is behind the arm; the network drives again."""
        self._owed, self._since_s = False, now_s

    def due(self, skill: str, now_s: float) -> bool:
        """Whether the arm should go back now."""
        return self._owed or now_s - self._since_s > PATIENCE_S.get(skill, np.inf)

    def is_ready(self, q: np.ndarray) -> bool:
        """Whether joints (n,) are the ready posture's."""
        return bool(np.abs(self._spec.home - q).max() <= _NEAR_RAD)

    def way(self, q: np.ndarray, opening: float) -> np.ndarray:
        """(T, n + 1) from joints (n,) to the ready posture, rest to rest, the hand as told; empty if it is there."""
        if self.is_ready(q):
            return np.empty((0, len(q) + 1))
        spec, far = self._spec, self._spec.home - q
        steps = steps_of(far, _PACE * spec.velocity_limit, _PACE * spec.acceleration_limit, spec.dt_s)
        return np.column_stack([q + eased(steps)[:, None] * far, np.full(steps, opening)])
