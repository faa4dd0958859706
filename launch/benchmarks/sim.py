"""How fast the simulator steps, resets, runs whole episodes and records, next to its peers on the same machine.

Ours and the peers' runs take turns, and the median of ours is compared with the peer's: machines are shared and noisy.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter, sleep

import gymnasium
import numpy as np
from benchmarks.peer import peer_rates
from composition import Rig, System
from rich.console import Console
from rich.table import Table

from tandem.bridge.contract import EpisodeResult, EpisodeStart, Step
from tandem.bridge.log import Recorder
from tandem.bridge.robots import load
from tandem.sim.cameras import CameraRequest
from tandem.sim.environment import environment_id
from tandem.sim.simulation import Simulation
from tandem.sim.tasks import task_named

SETUPS: dict[str, tuple[CameraRequest, ...]] = {
    "no_image": (),
    "1x224": (CameraRequest("front", 224, 224),),
    "2x224_depth": (CameraRequest("front", 224, 224, depth=True), CameraRequest("wrist", 224, 224, depth=True)),
}
PEERS = {"robosuite": "sim_robosuite.py", "fetch": "sim_fetch.py"}
WANDER_RAD = 0.03  # a step of the random walk of joint targets
BLOCK_STEPS = 20
WARM_STEPS = 3  # after a pause the first steps are slower
WRITTEN_S = 0.2  # the writer is done with a recorded block by then: its work must not slow down the plain one


@dataclass(frozen=True)
class SimBenchmark:
    """Steps and episodes per second, vectorised throughput, the cost of recording, and ratios to peers."""

    seconds: float = 4.0
    """Length of one measurement; there are several."""
    task: str = "pick_place"
    """Task whose world is stepped."""
    workers: int = 2
    """Processes of the vectorised environment."""
    peers: bool = True
    """Also run the peers that `make peers` installed."""

    def run(self) -> dict[str, float]:
        """Measure everything, print the table, return the figures."""
        console = Console(highlight=False)
        with console.status("measuring") as status:
            figures = self._rates(status.update)
            status.update("whole episodes")
            figures["episodes_per_s"] = self._episodes()
            status.update("vectorised")
            figures["vector_steps_per_s_1x224"] = self._vector()
            status.update("recording")
            figures["record_overhead"] = self._recording()
        console.print(_table(figures))
        return figures

    def _rates(self, say: Callable[[str], None]) -> dict[str, float]:
        """Ours before, between and after the peers'."""
        ours: dict[str, list[float]] = {name: [] for name in SETUPS}
        theirs: dict[str, dict[str, float]] = {}
        for peer in (*(PEERS if self.peers else ()), None):
            for name, cameras in SETUPS.items():
                say(f"ours, {name}")
                ours[name].append(self._steps_per_s(cameras))
            if peer is not None:
                say(f"{peer}")
                theirs[peer] = peer_rates(peer, PEERS[peer], self.seconds)
        figures = {f"steps_per_s_{name}": median(rates) for name, rates in ours.items()}
        for peer, rates in theirs.items():
            figures |= {f"{peer}_{name}": rate for name, rate in rates.items()}
            if "steps_per_s_1x224" in rates:
                figures[f"ratio_{peer}_1x224"] = figures["steps_per_s_1x224"] / rates["steps_per_s_1x224"]
        return figures

    def _steps_per_s(self, cameras: tuple[CameraRequest, ...]) -> float:
        simulation = Simulation(task_named(self.task), load("panda"), cameras=cameras)
        walk = Walk(simulation)
        walk.steps(BLOCK_STEPS)
        count, start = 0, perf_counter()
        while perf_counter() - start < self.seconds:
            walk.steps(BLOCK_STEPS)
            count += BLOCK_STEPS
        rate = count / (perf_counter() - start)
        simulation.close()
        return rate

    def _episodes(self) -> float:
        """Whole episodes of the demonstrator, planning and motion included."""
        rig = Rig(System(task=self.task, planner="scripted", policy="demonstrator", verifier="predicate"))
        count, start = 0, perf_counter()
        while perf_counter() - start < 2 * self.seconds:
            rig.run(seed=count)
            count += 1
        rate = count / (perf_counter() - start)
        rig.close()
        return rate

    def _vector(self) -> float:
        """Environment steps per second of `gymnasium.make_vec`, one process each, one 224x224 image."""
        envs = gymnasium.make_vec(
            environment_id(self.task), num_envs=self.workers, vectorization_mode="async", cameras=[("front", 224, 224)],
            vector_kwargs={"context": "spawn"},  # OpenGL does not survive a fork
        )
        envs.reset(seed=0)
        home = np.tile(np.append(load("panda").home, 1.0), (self.workers, 1)).astype(envs.action_space.dtype)
        envs.step(home)
        count, start = 0, perf_counter()
        while perf_counter() - start < self.seconds:
            envs.step(home)
            count += self.workers
        rate = count / (perf_counter() - start)
        envs.close()
        return rate

    def _recording(self) -> float:
        """Share that a recorder adds to a step with one 224x224 image; blocks with and without take turns."""
        simulation = Simulation(task_named(self.task), load("panda"), cameras=SETUPS["1x224"])
        walk = Walk(simulation)
        with tempfile.TemporaryDirectory() as folder:
            recorder = Recorder(Path(folder) / "bench.mcap", state=simulation.state, model=simulation.model_bytes)
            recorder.on_episode_start(EpisodeStart("benchmark", simulation.spec, walk.observation, {}))
            walk.steps(BLOCK_STEPS)
            plain, recorded, start = [], [], perf_counter()
            while perf_counter() - start < 3 * self.seconds:
                sleep(WRITTEN_S)
                walk.steps(WARM_STEPS)
                plain.append(walk.timed(BLOCK_STEPS))
                recorded.append(walk.timed(BLOCK_STEPS, recorder.on_step))
            recorder.on_episode_end(ENDED)
        simulation.close()
        return median(recorded) / median(plain) - 1.0


ENDED = EpisodeResult(
    claimed=False, seen=None, measured=None, infeasible=False, failure=None, reason="benchmark", progress=None,
    attempts=(), steps=0, plans=0, body_s=0.0, wall_s=0.0, privileged=False,
)


class Walk:
    """Steps a simulation along a slow random walk of joint targets around its home, reading every image."""

    def __init__(self, simulation: Simulation):
        self._simulation, self._rng, self._index = simulation, np.random.default_rng(0), 0
        self.observation, _ = simulation.reset(seed=0)
        self._home = np.append(simulation.spec.home, 1.0)
        self._target = self._home.copy()

    def steps(self, count: int, on_step: Callable[[Step], None] | None = None) -> None:
        """Take some steps; everything in each observation is read."""
        action = self._simulation.spec.action
        for _ in range(count):
            noise = self._rng.normal(scale=WANDER_RAD, size=action.size)
            self._target = np.clip(0.98 * self._target + 0.02 * self._home + noise, action.low, action.high)
            before = self.observation
            self.observation, *_ = self._simulation.step(self._target)
            dict(self.observation)
            if on_step is not None:
                on_step(Step(self._index, before, self._target, self._target, self.observation))
            self._index += 1

    def timed(self, count: int, on_step: Callable[[Step], None] | None = None) -> float:
        """Seconds that some steps take."""
        start = perf_counter()
        self.steps(count, on_step)
        return perf_counter() - start


def _table(figures: dict[str, float]) -> Table:
    table = Table(title="simulator, Panda at 20 Hz, physics at 500 Hz", title_justify="left")
    table.add_column("figure")
    table.add_column("measured", justify="right")
    for name, value in figures.items():
        text = f"{value:.1%}" if name.endswith("overhead") else f"{value:.2f}" if value < 10 else f"{value:.0f}"
        table.add_row(name, text)
    for peer in PEERS:
        if f"ratio_{peer}_1x224" not in figures:
            table.add_row(f"ratio_{peer}_1x224", "peer not installed: make peers")
    return table
