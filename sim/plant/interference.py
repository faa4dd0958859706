"""What disturbances make of a stream of setpoints.

They count in control steps, as in lockstep: one is asked for every control step, and what they answer is reached over
the next, linearly, as `World.step` does. Without one that changes commands, setpoints pass as they are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tandem.sim.disturbances import Disturbance
from tandem.sim.plant.scenario import changes


class Interference:
    """See the module.

    Args:
        disturbances: those of the world.
        ticks: per control step.
    """

    def __init__(self, disturbances: Sequence[Disturbance], ticks: int):
        self._disturbances, self._ticks = [d for d in disturbances if changes(d, "command")], ticks

    def rest_at(self, action: np.ndarray) -> None:
        """Begin at (n + 1,)."""
        self._from = self._to = self._now = np.array(action)
        self._passed = self._ticks

    def hold(self, action: np.ndarray) -> None:
        """The arm brakes or holds, now at (n + 1,): what is still under way will not be carried out."""
        self.apply(action)
        self._from = self._to = self._now = action

    def apply(self, target: np.ndarray) -> np.ndarray:
        """What reaches the arm in this tick instead of (n + 1,)."""
        if not self._disturbances:
            return target
        if self._passed >= self._ticks:
            self._from, self._passed = self._now, 0
            for disturbance in self._disturbances:
                target = disturbance.command(target)
            self._to = target
        self._passed += 1
        self._now = self._from + self._passed / self._ticks * (self._to - self._from)
        return self._now
