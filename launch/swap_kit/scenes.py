"""Rendered tables with known things on them, for trying out planners."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tandem.agent.planner.scene import Thing
from tandem.bridge.contract import CameraPoint, PlanRequest, image_key
from tandem.bridge.robots import load
from tandem.sim.annotate import annotate
from tandem.sim.simulation import Simulation
from tandem.sim.tasks import TASKS, Wish, task_named

CAMERA = "front"


@dataclass(frozen=True, eq=False)
class Shot:
    """One table.

    Attributes:
        task: whose table it is.
        request: its picture and instruction.
        things: what the picture shows, with points on it.
        bodies: (H, W) for each pixel the index in `things` of what it shows, -1 for anything else.
        infeasible: why the instruction cannot be carried out, None if it can.
    """

    task: str
    request: PlanRequest
    things: tuple[Thing, ...]
    bodies: np.ndarray
    infeasible: str | None


def shots(robot: str, count: int, *, first_seed: int, feasible: bool = True) -> Iterator[Shot]:
    """Tables of all the tasks in turn."""
    simulations: dict[str, Simulation] = {}
    try:
        for k in range(count):
            task = list(TASKS)[k % len(TASKS)]
            if task not in simulations:
                simulations[task] = Simulation(task_named(task), load(robot), wish=Wish(difficulty=0.5))
            yield _shot(simulations[task], task, first_seed + k, feasible)
    finally:
        for simulation in simulations.values():
            simulation.close()


def _shot(simulation: Simulation, task: str, seed: int, feasible: bool) -> Shot:
    observation, info = simulation.reset(seed=seed, options={"feasible": feasible})
    key, truth = image_key(CAMERA), simulation.truth()
    picture = {key: np.array(observation[key])}
    shown = [Thing(thing.name, CameraPoint(CAMERA, thing.u, thing.v), thing.where) for thing in annotate(truth, CAMERA)]
    request = PlanRequest(info["instruction"], picture, cameras=(CAMERA,))
    return Shot(task, request, tuple(shown), _bodies(simulation, shown), truth.infeasible())


def _bodies(simulation: Simulation, shown: list[Thing]) -> np.ndarray:
    truth, model = simulation.truth(), simulation.world.model
    geoms = truth.segmentation(CAMERA)
    bodies = np.where(geoms >= 0, model.geom_bodyid[np.maximum(geoms, 0)], -1)
    indices = np.full(geoms.shape, -1)
    for k, thing in enumerate(shown):
        indices[bodies == model.body(truth.entity(thing.name).body).id] = k
    return indices
