"""Somebody moves a thing that the task needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tandem.sim.disturbances.disturbance import Disturbance, Options
from tandem.sim.disturbances.places import free_place, goal_things, touches_other
from tandem.sim.scene import REFERENCE_REACH_M

if TYPE_CHECKING:
    from tandem.sim.truth import Truth

RETRY_S = 0.5  # when nothing can be moved now, for example because it is in the hand


@dataclass(frozen=True)
class MovedOptions(Options):
    """When, and how far at the reference robot's scale."""

    earliest_s: float = 0.3
    latest_s: float = 1.6
    nearest_m: float = 0.04
    furthest_m: float = 0.08


class Moved(Disturbance):
    """Shifts a thing that the remaining plan names and nobody touches to a free place nearby, once."""

    name = "moved"
    Options = MovedOptions

    def reset(self, rng: np.random.Generator, truth: Truth) -> None:
        """Draw the time."""
        wait_s = float(rng.uniform(self.options.earliest_s, self.options.latest_s))
        self._rng, self._due_s = rng, float(truth.world.data.time) + wait_s

    def strike(self, truth: Truth) -> str | None:
        """Move it when it is time; later when nothing can be moved just now."""
        if truth.world.data.time < self._due_s:
            return None
        self._due_s += RETRY_S
        for name in self._rng.permutation(goal_things(truth)):
            distance_m = self._shift(truth, str(name))
            if distance_m is not None:
                self._due_s = np.inf
                return f"the {name} was moved by {100 * distance_m:.0f} cm"
        return None

    def _shift(self, truth: Truth, name: str) -> float | None:
        world, scale = truth.world, truth.world.robot.workspace.reach_max_m / REFERENCE_REACH_M
        low_m, high_m = self.options.nearest_m * scale, self.options.furthest_m * scale
        there = free_place(truth, name, self._rng, low_m, high_m)
        if there is None:
            return None
        before, joint = world.state(), world.data.joint(truth.entity(name).joint)
        step = there - truth.target(name).surface[:2]
        joint.qpos[:2] += step
        joint.qvel[:] = 0
        world.restore(world.state())
        if touches_other(truth, name):  # the arm is in the way
            world.restore(before)
            return None
        return float(np.linalg.norm(step))
