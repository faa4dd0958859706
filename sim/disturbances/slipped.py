"""A grasped thing slips out of the fingers once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tandem.sim.disturbances.disturbance import Disturbance, Options
from tandem.sim.predicates import lifted

if TYPE_CHECKING:
    from tandem.sim.truth import Truth


@dataclass(frozen=True)
class SlippedOptions(Options):
    """How long something must be held in the air before it slips, and for how many control steps the fingers yield."""

    NEEDED = ("steps",)
    earliest_s: float = 0.5
    latest_s: float = 1.5
    steps: int = 4


class Slipped(Disturbance):
    """The fingers yield for some control steps, whatever they are told: an honest model of a grasp that fails."""

    name = "slipped"
    Options = SlippedOptions

    def reset(self, rng: np.random.Generator, truth: Truth) -> None:
        """Draw how long the grasp lasts."""
        self._lasts_s = float(rng.uniform(self.options.earliest_s, self.options.latest_s))
        self._since_s: float | None = None
        self._left: int | None = None  # control steps of yielding that are left; None before the slip

    def strike(self, truth: Truth) -> str | None:
        """Watch the grasp, and say when it gives way and when the fingers obey again."""
        if self._left is None:
            return self._watch(truth)
        if self._left == 0:
            self._left = -1
            return "the fingers obey again"
        return None

    def _watch(self, truth: Truth) -> str | None:
        name, now_s = truth.held(), float(truth.world.data.time)
        if name is None or not lifted(truth, name):
            self._since_s = None
            return None
        self._since_s = now_s if self._since_s is None else self._since_s
        if now_s - self._since_s < self._lasts_s:
            return None
        self._left = self.options.steps
        return f"the {name} slips out of the gripper"

    def command(self, action: np.ndarray) -> np.ndarray:
        """Open while it slips, else as told."""
        if self._left is None or self._left <= 0:
            return action
        self._left -= 1
        return np.append(action[:-1], 1.0)
