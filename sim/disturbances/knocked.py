"""Somebody knocks a thing that the task needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tandem.sim.disturbances.disturbance import Disturbance, Options
from tandem.sim.disturbances.places import free_place, goal_things

if TYPE_CHECKING:
    from tandem.sim.truth import Truth

RETRY_S = 0.5
TOPPLE_M = 0.03  # it may go this much further when it topples
BRAKING_M_S2 = 0.9 * 9.81  # friction of a block on the table


@dataclass(frozen=True)
class KnockedOptions(Options):
    """When, how fast it is after the knock, and how much of a rolling motion it gets (0 slides, 1 rolls)."""

    earliest_s: float = 0.3
    latest_s: float = 1.6
    slowest_m_s: float = 0.5
    fastest_m_s: float = 0.8
    tumble: float = 0.3


class Knocked(Disturbance):
    """Kicks a thing that the remaining plan names and nobody touches towards a free place, once. It may topple."""

    name = "knocked"
    Options = KnockedOptions

    def reset(self, rng: np.random.Generator, truth: Truth) -> None:
        """Draw the time."""
        wait_s = float(rng.uniform(self.options.earliest_s, self.options.latest_s))
        self._rng, self._due_s = rng, float(truth.world.data.time) + wait_s

    def strike(self, truth: Truth) -> str | None:
        """Kick it when it is time; later when nothing can be kicked just now."""
        if truth.world.data.time < self._due_s:
            return None
        self._due_s += RETRY_S
        speeds = (self.options.slowest_m_s, self.options.fastest_m_s)
        way_m = [TOPPLE_M + speed**2 / (2 * BRAKING_M_S2) for speed in speeds]
        for name in self._rng.permutation(goal_things(truth)):
            there = free_place(truth, str(name), self._rng, *way_m)
            if there is not None:
                self._due_s = np.inf
                speed = self._kick(truth, str(name), there)
                return f"the {name} was knocked and slides off at {speed:.1f} m/s"
        return None

    def _kick(self, truth: Truth, name: str, there: np.ndarray) -> float:
        world, target = truth.world, truth.target(name)
        way = there - target.surface[:2]
        distance = np.linalg.norm(way)
        velocity = np.append(way / distance, 0.0) * np.sqrt(2 * BRAKING_M_S2 * max(0.0, distance - TOPPLE_M))
        roll = self.options.tumble * np.cross([0, 0, 1], velocity) / (target.size[2] / 2)
        _, rotation = truth.pose(name)
        joint = world.data.joint(truth.entity(name).joint)
        joint.qvel[:3], joint.qvel[3:] = velocity, rotation.T @ roll  # a free joint turns in its own frame
        world.restore(world.state())
        return float(np.linalg.norm(velocity))
