"""Commands reach the robot late."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tandem.sim.disturbances.disturbance import Disturbance, Options

if TYPE_CHECKING:
    from tandem.sim.truth import Truth


@dataclass(frozen=True)
class DelayedOptions(Options):
    """By how many control steps."""

    NEEDED = ("steps",)
    steps: int = 2


class Delayed(Disturbance):
    """Each action is carried out some control steps later; until the first arrives, the robot stays at rest."""

    name = "delayed"
    Options = DelayedOptions

    def reset(self, rng: np.random.Generator, truth: Truth) -> None:
        """Nothing is under way; the robot is commanded to stay."""
        self._under_way = deque([truth.world.commanded()] * self.options.steps)
        self._said = False

    def strike(self, truth: Truth) -> str | None:
        """Say so, once."""
        first, self._said = not self._said, True
        return f"commands arrive {self.options.steps} control steps late" if first else None

    def command(self, action: np.ndarray) -> np.ndarray:
        """The action of some steps ago."""
        self._under_way.append(action)
        return self._under_way.popleft()
