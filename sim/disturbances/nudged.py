"""The arm is led aside, again and again, and let go: what a demonstrator then does shows how to recover.

The policy's own action stays what the log calls the action; what is carried out beside it is the command.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tandem.sim.disturbances.disturbance import Disturbance, Options

if TYPE_CHECKING:
    from tandem.sim.truth import Truth


@dataclass(frozen=True)
class NudgedOptions(Options):
    """Deviation of each joint's excursion, and of the last one's, which turns the hand; none is larger than `most_rad`,
    so that nobody takes it for a blocked arm. How often, and how long."""

    NEEDED = ("excursion_s",)
    joint_rad: float = 0.025
    last_rad: float = 0.08
    most_rad: float = 0.1
    pause_s: float = 1.2
    excursion_s: float = 0.9


class Nudged(Disturbance):
    """Excursions of all joints at once that begin and end gently; pauses and lengths vary by half."""

    name = "nudged"
    Options = NudgedOptions

    def reset(self, rng: np.random.Generator, truth: Truth) -> None:
        """The first one may come at once."""
        self._rng, self._truth, self._said = rng, truth, False
        robot = truth.world.robot
        self._low, self._high = np.asarray(robot.position_low), np.asarray(robot.position_high)
        self._plan(float(truth.world.data.time), rng.uniform(0.0, 1.0))

    def strike(self, truth: Truth) -> str | None:
        """Say so, once."""
        first, self._said = not self._said, True
        return f"the arm is led aside now and then, first at {self._from_s:.2f} s" if first else None

    def command(self, action: np.ndarray) -> np.ndarray:
        """The action, aside of which the joints are led, within their range."""
        now_s = float(self._truth.world.data.time)
        if now_s > self._until_s:
            self._plan(now_s, self._rng.uniform(0.5, 1.5))
        led, share = action.copy(), (now_s - self._from_s) / (self._until_s - self._from_s)
        if share > 0:
            aside = np.sin(np.pi * share) ** 2 * self._excursion
            led[:-1] = np.clip(action[:-1] + aside, self._low, self._high)
        return led

    def _plan(self, now_s: float, pause: float) -> None:
        """The next one, after a pause of so many times the usual."""
        options, rng = self.options, self._rng
        self._from_s = now_s + options.pause_s * pause
        self._until_s = self._from_s + options.excursion_s * rng.uniform(0.5, 1.5)
        deviations = np.full(len(self._low), options.joint_rad)
        deviations[-1] = options.last_rad
        self._excursion = np.clip(rng.normal(0.0, deviations), -options.most_rad, options.most_rad)
