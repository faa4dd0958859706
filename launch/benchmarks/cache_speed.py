"""How fast samples leave the training cache, next to LeRobot's loader on the same episodes in the same run.

Demonstrations are recorded and exported as a dataset of LeRobot's, with two 224x224 pictures a frame. LeRobot's loader
decodes the videos of that dataset for each sample. Ours decoded them once: the training cache is filled from the same
dataset and gives whole batches, numbers normalised and pictures as floats, in the windows that launch/train.py cuts
out, and also (`whole`) both pictures in full. It is read at random, on one thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import cv2
import numpy as np
import torch
from benchmarks.peer import run_peer
from composition import Rig, System
from evaluating.onlooker import Onlooker
from training.setup import WINDOWS

from tandem.bridge.contract import BodySpec
from tandem.bridge.datasets.lerobot_v3 import LeRobotV3Writer
from tandem.bridge.datasets.log_source import trajectory_of
from tandem.bridge.datasets.trajectory import Frame, Trajectory, View
from tandem.bridge.log import LogReader, Recorder
from tandem.policies.learned.architectures import network_for
from tandem.policies.learned.eyes import About, Window
from tandem.policies.learned.layouts import Layout
from tandem.policies.learned.training.cache import Cache, sources_of
from tandem.policies.learned.training.lessons import Augment, Lessons
from tandem.policies.learned.training.loop import Schedule, Training

SIZE, HORIZON, STRIDE = 224, 16, 1
WHOLE = tuple(Window(camera, About.ALL, SIZE, SIZE) for camera in ("front", "wrist"))


@dataclass(frozen=True)
class CacheSpeed:
    """How much is measured.

    Attributes:
        episodes: that are recorded.
        samples: read by LeRobot's loader, in each turn.
        batch: samples of a batch of ours.
        batches: that are read, in each turn.
        steps: of the training whose waiting is measured.
        turns: of either.
    """

    episodes: int
    samples: int
    batch: int
    batches: int
    steps: int
    turns: int

    def measure(self, folder: Path, peers: bool, say: Callable[[str], None]) -> tuple[dict[str, float], Lessons]:
        """Figures by name, and lessons of the recorded episodes in the windows of launch/train.py."""
        say("demonstrations")
        logs = demonstrations(folder / "logs", self.episodes)
        export(logs, folder / "dataset")
        lessons = {
            name: self._lessons(folder, windows) for name, windows in (("cache", WINDOWS), ("cache_whole", WHOLE))}
        ours: dict[str, list[tuple[float, float]]] = {name: [] for name in lessons}
        theirs: list[dict] = []
        for _ in range(self.turns):
            for name, one in lessons.items():
                say(f"reading, ours ({name})")
                ours[name].append(self._read(one))
            say("reading, LeRobot's")
            arguments = (str(folder / "dataset"), str(self.samples))
            theirs += run_peer("lerobot", "read_lerobot.py", *arguments) if peers else []
        figures = _figures(ours, theirs)
        say("training")
        figures["loader_wait_fraction"] = self._waited(lessons["cache"], folder / "training")
        return figures, lessons["cache"]

    def _lessons(self, folder: Path, windows: Sequence[Window]) -> Lessons:
        cache = Cache(folder / "cache", windows)
        return Lessons(list(cache.fill(sources_of(folder / "dataset"))), windows, Layout.TOOL, HORIZON, STRIDE)

    def _read(self, lessons: Lessons) -> tuple[float, float]:
        """Samples per second of the clock, and of the processor."""
        manifest, rng, threads = lessons.manifest("flow", {}), np.random.default_rng(1), torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            lessons.lesson(rng.integers(0, len(lessons), self.batch), manifest, None, Augment())
            start, busy = perf_counter(), process_time()
            for _ in range(self.batches):
                lessons.lesson(rng.integers(0, len(lessons), self.batch), manifest, None, Augment())
            count = self.batch * self.batches
            return count / (perf_counter() - start), count / (process_time() - busy)
        finally:
            torch.set_num_threads(threads)

    def _waited(self, lessons: Lessons, folder: Path) -> float:
        """Share of its time that a training of the flow network, as launch/train.py has it, waits for batches."""
        manifest, told = lessons.manifest("flow", {}), []
        training = Training(
            network_for("flow", manifest.shapes, {}), manifest, lessons, None,
            Schedule(self.steps, every=max(1, self.steps // 4)), folder, cpu=not torch.cuda.is_available())
        training.run(lambda step, figures: told.append(figures))
        return median(figures["waited"] for figures in told[1:] if "waited" in figures)  # first, the feed fills


def demonstrations(folder: Path, count: int) -> list[Path]:
    """Logs of the demonstrator at work, every step of it seen by every camera."""
    folder.mkdir(parents=True)
    rig = Rig(System(planner="scripted", policy="demonstrator", verifier="predicate"))
    paths = []
    for seed in range(count):
        paths.append(folder / f"{seed}.mcap")
        with Recorder(paths[-1]) as recorder:
            rig.run(seed, subscribers=[Onlooker(1), recorder])
    rig.close()
    return paths


def export(logs: Sequence[Path], folder: Path) -> None:
    """A dataset in LeRobot's format whose pictures are 224x224."""
    writer = LeRobotV3Writer(folder)
    for log in logs:
        writer.add(_sized(trajectory_of(LogReader(log))))
    writer.close()


def _sized(trajectory: Trajectory) -> Trajectory:
    views = tuple(View(view.camera, SIZE, SIZE, partial(_resized, view)) for view in trajectory.views)
    return replace(trajectory, views=views, spec=_seen_small(trajectory.spec))


def _resized(view: View) -> Iterator[Frame]:
    for frame in view.frames():
        yield Frame(cv2.resize(frame.array, (SIZE, SIZE), interpolation=cv2.INTER_AREA), frame.age_s)


def _seen_small(spec: BodySpec) -> BodySpec:
    cameras = []
    for camera in spec.cameras:
        scale = np.diag([SIZE / camera.width, SIZE / camera.height, 1.0])
        cameras.append(replace(camera, width=SIZE, height=SIZE, intrinsics=scale @ camera.intrinsics))
    return replace(spec, cameras=tuple(cameras))


def _figures(ours: dict[str, list[tuple[float, float]]], theirs: list[dict]) -> dict[str, float]:
    figures = {}
    for name, turns in ours.items():
        rate, busy_rate = (median(turn[place] for turn in turns) for place in (0, 1))
        figures |= {f"{name}_samples_per_s": rate, f"{name}_cpu_ms_per_sample": 1e3 / busy_rate}
        if theirs:
            told = {key: median(turn[key] for turn in theirs) for key in ("samples_per_s", "cpu_ms_per_sample")}
            figures |= {f"lerobot_loader_{key}": value for key, value in told.items()}
            figures[f"{name}_read_x_lerobot"] = rate / told["samples_per_s"]
            figures[f"{name}_read_cpu_x_lerobot"] = told["cpu_ms_per_sample"] * busy_rate / 1e3
    return figures
