"""What a recorder costs the control loop: a simulated arm, two 224x224 pictures looked at in each step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter, sleep, thread_time

import numpy as np
from benchmarks.sim import BLOCK_STEPS, ENDED, WARM_STEPS, WRITTEN_S, Walk

from tandem.bridge.contract import EpisodeStart, Step
from tandem.bridge.log import Recorder
from tandem.bridge.robots import load
from tandem.sim.cameras import CameraRequest
from tandem.sim.simulation import Simulation
from tandem.sim.tasks import task_named

CAMERAS = (CameraRequest("front", 224, 224), CameraRequest("wrist", 224, 224))
HZ = 20.0


class Timed:
    """A recorder's `on_step`, with how long each call took and what it used of the processor.

    The processor's clock is a system call that settles the thread's account, and the kernel lets others run on the way
    out of it: it is read before the first and after the last look at the wall clock, or its price would be the call's.

    Args:
        recorder: whose.
    """

    def __init__(self, recorder: Recorder):
        self._recorder, self.took_s, self.used_s, self.spun_s = recorder, [], [], []

    def __call__(self, step: Step) -> None:
        """Record the step."""
        busy, start = thread_time(), perf_counter()
        self._recorder.on_step(step)
        end, used = perf_counter(), thread_time() - busy
        self.took_s.append(end - start)
        self.used_s.append(used)

    def spin(self) -> None:
        """Do nothing for as much of the processor's time as the last call used: what the machine adds to any call."""
        begin, start = thread_time(), perf_counter()
        while thread_time() - begin < self.used_s[-1]:
            pass
        self.spun_s.append(perf_counter() - start)

    def figures(self, name: str) -> dict[str, float]:
        """Percentiles of how long a call lasts, and of what it takes of the processor, ms."""
        return {
            f"{name}{which}_{word}_ms": float(np.percentile(seconds, q)) * 1e3
            for which, seconds in (("", self.took_s), ("_cpu", self.used_s))
            for word, q in (("p50", 50), ("p99", 99), ("p999", 99.9))
        }


def unpaced(folder: Path, seconds: float) -> dict[str, float]:
    """As fast as it goes: blocks with and without a recorder take turns."""
    with _scene(folder / "unpaced.mcap") as (walk, timed):
        plain, recorded, start = [], [], perf_counter()
        while perf_counter() - start < seconds:
            sleep(WRITTEN_S)
            walk.steps(WARM_STEPS)
            plain.append(walk.timed(BLOCK_STEPS))
            recorded.append(walk.timed(BLOCK_STEPS, timed))
    overhead = median(recorded) / median(plain) - 1.0
    return {"recorder_overhead_back_to_back": overhead, **timed.figures("recorder_back_to_back")}


def paced(folder: Path, seconds: float) -> dict[str, float]:
    """At 20 Hz, every step recorded: what a recorder takes of each period, and how long a call takes at worst.

    Beside it how long as much work that only counts takes at worst (`machine`): on a busy machine that is no less.
    """
    with _scene(folder / "paced.mcap") as (walk, timed):
        walk.steps(WARM_STEPS)
        begin = perf_counter()
        for k in range(round(seconds * HZ)):
            walk.steps(1, timed)
            timed.spin()
            sleep(max(begin + (k + 1) / HZ - perf_counter(), 0.0))
        lasted = perf_counter() - begin
    shares = {"recorder_overhead": timed.took_s, "recorder_cpu_overhead": timed.used_s}
    figures = {name: sum(seconds) / lasted for name, seconds in shares.items()} | timed.figures("recorder")
    return figures | {"machine_p999_ms": float(np.percentile(timed.spun_s, 99.9)) * 1e3}


@contextmanager
def _scene(path: Path) -> Iterator[tuple[Walk, Timed]]:
    simulation = Simulation(task_named("pick_place"), load("panda"), cameras=CAMERAS)
    walk = Walk(simulation)
    with Recorder(path, state=simulation.state, model=simulation.model_bytes) as recorder:
        recorder.on_episode_start(EpisodeStart("benchmark", simulation.spec, walk.observation, {}))
        walk.steps(BLOCK_STEPS)
        yield walk, Timed(recorder)
        recorder.on_episode_end(ENDED)
    simulation.close()
