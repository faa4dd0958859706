"""A simulated body on request, closed after the test."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from tandem.bridge.robots import load
from tandem.sim.cameras import CameraRequest
from tandem.sim.simulation import Simulation
from tandem.sim.tasks import task_named

SMALL = (CameraRequest("front", 64, 48, depth=True), CameraRequest("wrist", 32, 24))


@pytest.fixture
def make_simulation() -> Iterator[Callable[..., Simulation]]:
    """`make_simulation(task="pick_place", robot="panda", **options of Simulation)`; small cameras unless told."""
    made = []

    def make(task: str = "pick_place", robot: str = "panda", **options) -> Simulation:
        made.append(Simulation(task_named(task), load(robot), **{"cameras": SMALL} | options))
        return made[-1]

    yield make
    for simulation in made:
        simulation.close()


@pytest.fixture
def wander() -> Callable[[Simulation, int], Iterator[np.ndarray]]:
    """`wander(simulation, n)`: n smooth random actions around home, the gripper opening and closing."""

    def actions(simulation: Simulation, n: int, seed: int = 0) -> Iterator[np.ndarray]:
        rng, spec = np.random.default_rng(seed), simulation.spec
        phase, rate = rng.uniform(0, 2 * np.pi, spec.dof), rng.uniform(0.3, 1.5, spec.dof)
        for k in range(n):
            joints = spec.home + 0.4 * (np.sin(phase + rate * k * spec.dt_s) - np.sin(phase))
            yield np.clip(np.append(joints, 0.5 + 0.5 * np.cos(0.1 * k)), spec.action.low, spec.action.high)

    return actions
