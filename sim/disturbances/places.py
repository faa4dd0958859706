"""Which thing to disturb, and where it may go so that the task can still be done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mujoco
import numpy as np

from tandem.sim.layout import finger_gap_m
from tandem.sim.predicates import at_rest, bottom_z

if TYPE_CHECKING:
    from tandem.sim.truth import Truth

TRIES = 60
ON_TABLE_M = 0.003  # a thing this near to the table stands on it; the floor of a bin is higher


def goal_things(truth: Truth) -> list[str]:
    """Loose things that the remaining plan names, standing on the table, at rest and untouched, in a fixed order."""
    named = {str(value) for subgoal in truth.remaining() for value in subgoal.arguments.values()}
    touched = truth.touched()
    return [
        name for name, entity in truth.world.entities.items()
        if entity.loose and name in named and name not in touched and at_rest(truth, name)
        and abs(bottom_z(truth, name)) < ON_TABLE_M
    ]


def free_place(truth: Truth, name: str, rng: np.random.Generator, low_m: float, high_m: float) -> np.ndarray | None:
    """(2,) a place that far from where a thing is: within reach, with room for fingers; None if none was found."""
    here, space = truth.target(name).surface[:2], truth.world.robot.workspace
    for _ in range(TRIES):
        angle, distance = rng.uniform(-np.pi, np.pi), rng.uniform(low_m, high_m)
        there = here + distance * np.array([np.cos(angle), np.sin(angle)])
        if space.contains(*there) and _clear(truth, name, there):
            return there
    return None


def _clear(truth: Truth, name: str, place: np.ndarray) -> bool:
    gap = finger_gap_m(truth.world.robot)
    own = np.hypot(*truth.target(name).size[:2]) / 2
    for other in truth.world.entities:
        target = truth.target(other)
        room = own + gap + np.hypot(*target.size[:2]) / 2
        if other != name and np.linalg.norm(target.surface[:2] - place) < room:
            return False
    return True


def touches_other(truth: Truth, name: str) -> bool:
    """Whether a thing touches anything but what stands still in the world (table, floor)."""
    model, data = truth.world.model, truth.world.data
    mujoco.mj_collision(model, data)
    own = model.body(truth.entity(name).body).id
    pairs = model.geom_bodyid[data.contact.geom[: data.ncon]]
    return any(own in pair and 0 not in pair for pair in pairs.tolist())
