"""What the episode log costs and gives: recording and random reading next to LeRobot in the same run on the same
pictures, what a recorder costs the control loop, and how fast logged physics is gone through again.

One frame is two 224x224 pictures, a state and an action of eight numbers, here as there; both have recorded two frames
before, and an episode counts until it is whole on the disk. Ours is measured before and after the peer, and the median
is compared with it: machines are shared and noisy. How busy this one was is one of the figures: a call that the system
interrupts lasts milliseconds, whatever it does. What it costs by itself is told by the thread's own time (`cpu`).
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import cv2
import numpy as np
from benchmarks.loop_cost import paced, unpaced
from benchmarks.peer import run_peer
from benchmarks.sim import ENDED
from composition import Rig, System
from replaying.logged import Logged
from rich.console import Console
from rich.table import Table

from tandem.bridge.conformance import dummy_spec
from tandem.bridge.contract import EpisodeStart, Observation, Step
from tandem.bridge.log import LogReader, Recorder
from tandem.sim.replay import simulate

CAMERAS, SIZE, JOINTS, HZ = ("front", "wrist"), 224, 8, 20
ASKED = {
    "record_x_lerobot": (">=", 20), "random_read_x_lerobot": (">=", 5), "recorder_overhead": ("<", 0.02),
    "recorder_p999_ms": ("<", 1), "replay_x_real_time": (">=", 20),
}


@dataclass(frozen=True)
class LogBenchmark:
    """Recording and random reading (times LeRobot's), the recorder's cost to the control loop, replay."""

    episodes: int = 3
    """Episodes that are recorded, here and by the peer."""
    frames: int = 200
    """Frames of each."""
    reads: int = 200
    """Frames read at random."""
    seconds: float = 60.0
    """How long the loop paced at 20 Hz runs."""
    peers: bool = True
    """Also run the peer: make peers NAME=lerobot."""

    def run(self) -> dict[str, float]:
        """Measure everything, print the table, return the figures."""
        console = Console(highlight=False)
        with console.status("recording and reading") as status, tempfile.TemporaryDirectory() as folder:
            figures = self._beside_the_peer(Path(folder))
            status.update("the control loop, back to back")
            figures |= unpaced(Path(folder), self.seconds / 4)
            status.update("the control loop at 20 Hz")
            figures |= paced(Path(folder), self.seconds)
            status.update("replay")
            figures["replay_x_real_time"], figures["replay_cpu_x_real_time"] = _replay(Path(folder))
            figures["load_per_core"] = os.getloadavg()[0] / (os.cpu_count() or 1)
        console.print(_table(figures))
        return figures

    def _beside_the_peer(self, folder: Path) -> dict[str, float]:
        pictures = _pictures(self.frames)
        for name, array in pictures.items():
            np.save(folder / f"{name}.npy", array)
        ours, theirs = [self._ours(folder / "before", pictures)], {}
        if self.peers:
            arguments = (str(folder), str(self.episodes), str(self.frames), str(self.reads))
            theirs = next(iter(run_peer("lerobot", "log_lerobot.py", *arguments)), {})
        ours.append(self._ours(folder / "after", pictures))
        figures = {}
        for place, what in enumerate(("record", "random_read")):
            figures[f"{what}_frames_per_s"] = median(pair[place] for pair in ours)
            if theirs:
                figures[f"lerobot_{what}_frames_per_s"] = theirs[f"{what}_frames_per_s"]
                figures[f"{what}_x_lerobot"] = figures[f"{what}_frames_per_s"] / theirs[f"{what}_frames_per_s"]
        return figures

    def _ours(self, folder: Path, pictures: dict[str, np.ndarray]) -> tuple[float, float]:
        """Frames recorded and frames read at random per second."""
        folder.mkdir()
        _record(folder / "warm.mcap", {name: film[:2] for name, film in pictures.items()})
        start = perf_counter()
        paths = [_record(folder / f"{number}.mcap", pictures) for number in range(self.episodes)]
        recorded = self.episodes * self.frames / (perf_counter() - start)
        return recorded, _read(paths, self.frames, self.reads)


def _pictures(frames: int) -> dict[str, np.ndarray]:
    """uint8 (frames, 224, 224, 3) of each camera: smooth noise that wanders, as a film does."""
    rng, films = np.random.default_rng(0), {}
    for name in CAMERAS:
        still = cv2.GaussianBlur(rng.integers(0, 255, (SIZE, SIZE, 3), np.uint8), (31, 31), 8)
        films[name] = np.stack([np.roll(still, k, axis=1) for k in range(frames)])
    return films


def _record(path: Path, pictures: dict[str, np.ndarray]) -> Path:
    """One episode, until its file is whole."""
    frames, rng = len(pictures["front"]), np.random.default_rng(0)
    rows = rng.random((frames + 1, 2, JOINTS))

    def observe(k: int) -> Observation:
        return {
            "joint_position": rows[k, 0, :-1], "joint_velocity": rows[k, 1, :-1], "gripper_opening": rows[k, 0, -1:],
            "tool_pose": rows[k, 0, :7], "time": np.array([k / HZ]),
            **{f"image.{name}": film[k % frames] for name, film in pictures.items()},
        }

    with Recorder(path) as recorder:
        now = observe(0)
        recorder.on_episode_start(EpisodeStart("measure", dummy_spec(), now, {}))
        for k in range(frames):
            after = observe(k + 1)
            recorder.on_step(Step(k, now, rows[k, 1], rows[k, 1], after))
            now = after
        recorder.on_episode_end(ENDED)
    return path


def _read(paths: list[Path], frames: int, reads: int) -> float:
    logs, rng = [LogReader(path) for path in paths], np.random.default_rng(1)
    picks = rng.integers(0, len(logs) * frames, reads)
    logs[0].picture_at("image.front", 0.0)
    start = perf_counter()
    for pick in picks:
        log, time_s = logs[pick // frames], pick % frames / HZ
        for name in CAMERAS:
            if log.picture_at(f"image.{name}", time_s).array.shape != (SIZE, SIZE, 3):
                raise RuntimeError("that is not the picture that was recorded")
        log.measurement_at(time_s)
    return reads / (perf_counter() - start)


def _replay(folder: Path) -> tuple[float, float]:
    """Body time of an episode over the wall time, and over the processor's, that simulating its commands takes."""
    path, rig = folder / "episode.mcap", Rig(System(task="sort", planner="scripted"))
    with Recorder(path, **rig.stage.keeps()) as recorder:
        rig.run(seed=0, subscribers=[recorder])
    rig.close()
    logged = Logged(path)
    world, states, took, used = logged.world, logged.states[: len(logged.commands) + 1], [], []
    for _ in range(3):
        start, busy = perf_counter(), process_time()
        again = simulate(world, states, logged.commands, logged.struck)
        took.append(perf_counter() - start)
        used.append(process_time() - busy)
    if not np.array_equal(again, states):
        raise RuntimeError("the physics of a new log did not replay bit for bit: run launch/replay.py on one")
    body_s = float(logged.times[-1] - logged.times[0])
    return body_s / median(took), body_s / median(used)


def _table(figures: dict[str, float]) -> Table:
    table = Table("figure", "measured", "asked", title="episode log", title_justify="left")
    for name, value in figures.items():
        told = f"{value:.2%}" if "overhead" in name else f"{value:.3f}" if value < 10 else f"{value:.1f}"
        sign, asked = ASKED.get(name, ("", ""))
        met = "" if not sign else value >= asked if sign == ">=" else value < asked
        table.add_row(name, told, "" if met == "" else f"{'[green]' if met else '[red]'}{sign} {asked}[/]")
    if "record_x_lerobot" not in figures:
        table.add_row("record_x_lerobot", "peer not installed: make peers NAME=lerobot", "")
    return table
