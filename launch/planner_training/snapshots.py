"""Pictures of tables with everything that is known of them: what a planner is taught from.

A shard is two files: `<name>.images`, encoded pictures one after another, and `<name>.jsonl`, one line for each with
its place there, what it shows, the instruction, and what is left to do. A shard is written under another name and
renamed when it is whole, so a run that was stopped goes on with the shards that are missing.
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from planner_training.phrasings import for_training
from planner_training.resizing import resize
from rich.progress import Progress

from tandem.bridge.contract import InvalidOption, PhysicsDiverged, image_key
from tandem.bridge.robots import load
from tandem.sim.annotate import annotate, whereabouts
from tandem.sim.arrange import rearrange
from tandem.sim.cameras import CameraRequest
from tandem.sim.disturbances import disturbance_named
from tandem.sim.simulation import Simulation
from tandem.sim.tasks import task_named

TASK_SHARES = {
    "pick_place": 0.22, "sort": 0.24, "stack": 0.16, "kit": 0.14, "insert": 0.06, "drawer": 0.08, "machine": 0.05,
    "conveyor": 0.05,
}
ROBOT_SHARES = {"panda": 0.6, "ur5e": 0.2, "so101": 0.2}
INFEASIBLE, NOISY = 0.22, 0.1
FIRST_SEED = 5_000_000  # evaluation uses seeds far below
CAMERA = CameraRequest("front", 640, 480)


@dataclass(frozen=True)
class Snapshots:
    """What to generate.

    Attributes:
        folder: where the shards go.
        worlds: per shard.
        views: pictures of a world: the table as the episode begins, then as it may look later.
        size: width and height that pictures are stored in.
        pictures: without them a shard is only records: what is there, what is asked and what is to be done.
    """

    folder: Path
    worlds: int = 500
    views: int = 3
    size: tuple[int, int] = (384, 288)
    pictures: bool = True


def generate(what: Snapshots, shards: int, *, first: int = 0, workers: int = 1) -> None:
    """Make the shards that are missing, with a progress bar."""
    what.folder.mkdir(parents=True, exist_ok=True)
    missing = [k for k in range(first, first + shards) if not (what.folder / f"{_name(k)}.jsonl").exists()]
    context = multiprocessing.get_context("spawn")  # OpenGL does not survive a fork
    with Progress() as progress, context.Pool(workers) as pool:
        task = progress.add_task(f"{what.folder}", total=shards, completed=shards - len(missing))
        for _ in pool.imap_unordered(_write_shard, [(what, k) for k in missing]):
            progress.advance(task)


def _name(shard: int) -> str:
    return f"shard-{shard:05d}"


def _write_shard(job: tuple[Snapshots, int]) -> None:
    what, shard = job
    partial, whole = (what.folder / f"{_name(shard)}{end}" for end in (".partial", ".jsonl"))
    with open(what.folder / f"{_name(shard)}.images", "wb") as images, open(partial, "w", encoding="utf-8") as lines:
        for picture, record in _records(what, shard):
            data = b"" if picture is None else cv2.imencode(".jpg", picture[..., ::-1], [
                cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
            ])[1].tobytes()
            lines.write(json.dumps({**record, "at": images.tell(), "bytes": len(data)}) + "\n")
            images.write(data)
    partial.rename(whole)


def _records(what: Snapshots, shard: int) -> Iterator[tuple[np.ndarray | None, dict[str, Any]]]:
    rng = np.random.default_rng([shard, 17])
    simulations: dict[tuple[str, str, bool], Simulation] = {}
    for k in range(what.worlds):
        seed = FIRST_SEED + shard * what.worlds + k
        task, robot = _draw(rng, TASK_SHARES), _draw(rng, ROBOT_SHARES)
        noisy = bool(rng.random() < NOISY)
        key = task, robot, noisy
        try:
            if key not in simulations:
                troubles = [disturbance_named("noise")] if noisy else []
                simulations[key] = Simulation(
                    for_training(task_named(task)), load(robot), cameras=(CAMERA,), disturbances=troubles
                )
            options = {"difficulty": float(rng.uniform()), "feasible": bool(rng.random() > INFEASIBLE)}
            yield from _views(simulations[key], what, rng, seed, options, {"task": task, "robot": robot})
        except (InvalidOption, PhysicsDiverged):
            continue  # this robot cannot do that task, or nothing could rest like that
    for simulation in simulations.values():
        simulation.close()


def _draw(rng: np.random.Generator, shares: dict[str, float]) -> str:
    return str(rng.choice(list(shares), p=list(shares.values())))


def _views(
    simulation: Simulation, what: Snapshots, rng: np.random.Generator, seed: int, options: dict[str, Any],
    about: dict[str, str],
) -> Iterator[tuple[np.ndarray | None, dict[str, Any]]]:
    simulation.reset(seed=seed, options=options)
    for view in range(what.views):
        if view:
            rearrange(simulation, rng)
        picture = resize(simulation.look()[image_key("front")], what.size) if what.pictures else None
        yield picture, {**about, "seed": seed, "view": view, **describe(simulation, visible=what.pictures)}


def describe(simulation: Simulation, *, visible: bool = True) -> dict[str, Any]:
    """All that a question may be about: what is shown (points as shares of the image), and what is left to do.

    Args:
        simulation: in the state to be described.
        visible: leave out what is hidden, which needs rendering.
    """
    truth = simulation.truth()
    width, height = truth.camera_size("front")
    things = annotate(truth, "front") if visible else whereabouts(truth, "front")
    shown = [asdict(replace(thing, u=thing.u / width, v=thing.v / height)) for thing in things]
    return {
        "things": shown, "instruction": truth.challenge.instruction, "infeasible": truth.infeasible(),
        "steps": [{"skill": s.skill, **_words(s.arguments)} for s in truth.remaining()],
    }


def _words(arguments: Any) -> dict[str, str]:
    return {name: value for name, value in arguments.items() if isinstance(value, str)}
