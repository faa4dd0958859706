"""Pictures of tables with everything that is known of them: what a planner is taught from.

A shard is two files: `<name>.images`, encoded pictures one after another, each followed by a map of which thing its
pixels show, and `<name>.jsonl`, one line for each with its place there, what it shows, the instruction, and what is
left to do. A shard is written under another name and
renamed when it is whole, so a run that was stopped goes on with the shards that are missing.
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from orphans import follow_parent
from planner_training.phrasings import for_training
from rich.progress import Progress

from tandem.bridge.contract import InvalidOption, PhysicsDiverged, image_key
from tandem.bridge.robots import load
from tandem.sim.annotate import Shown, annotate, label_map, whereabouts
from tandem.sim.arrange import advance, rearrange
from tandem.sim.cameras import CameraRequest
from tandem.sim.disturbances import disturbance_named
from tandem.sim.simulation import Simulation
from tandem.sim.tasks import task_named
from tandem.sim.truth import Truth

TASK_SHARES = {
    "pick_place": 0.18, "sort": 0.22, "stack": 0.21, "kit": 0.19, "insert": 0.06, "drawer": 0.06, "machine": 0.04,
    "conveyor": 0.04,
}
ROBOT_SHARES = {"panda": 0.6, "ur5e": 0.2, "so101": 0.2}
INFEASIBLE, NOISY, ADVANCED = 0.22, 0.1, 0.6
LABEL_STEP = 4  # pixels of the picture for each of the label map
FIRST_SEED = 5_000_000  # evaluation uses seeds far below
CAMERA = CameraRequest("front", 640, 480)


@dataclass(frozen=True)
class Snapshots:
    """What to generate.

    Attributes:
        folder: where the shards go.
        worlds: per shard.
        views: pictures of a world: the table as the episode begins, then as it may look later.
        pictures: without them a shard is only records: what is there, what is asked and what is to be done.
    """

    folder: Path
    worlds: int = 500
    views: int = 3
    pictures: bool = True


def generate(what: Snapshots, shards: int, *, first: int = 0, workers: int = 1) -> None:
    """Make the shards that are missing, with a progress bar."""
    what.folder.mkdir(parents=True, exist_ok=True)
    missing = [k for k in range(first, first + shards) if not (what.folder / f"{_name(k)}.jsonl").exists()]
    context = multiprocessing.get_context("spawn")  # OpenGL does not survive a fork
    with Progress() as progress, context.Pool(workers, follow_parent) as pool:
        task = progress.add_task(f"{what.folder}", total=shards, completed=shards - len(missing))
        for _ in pool.imap_unordered(_write_shard, [(what, k) for k in missing]):
            progress.advance(task)


def _name(shard: int) -> str:
    return f"shard-{shard:05d}"


def _write_shard(job: tuple[Snapshots, int]) -> None:
    what, shard = job
    partial, whole = (what.folder / f"{_name(shard)}{end}" for end in (".partial", ".jsonl"))
    with open(what.folder / f"{_name(shard)}.images", "wb") as images, open(partial, "w", encoding="utf-8") as lines:
        for pixels, labels, record in _records(what, shard):
            picture = b"" if pixels is None else _jpeg(pixels)
            shown = b"" if labels is None else cv2.imencode(".png", labels)[1].tobytes()
            place = {"at": images.tell(), "bytes": len(picture), "label_bytes": len(shown)}
            lines.write(json.dumps({**record, **place}) + "\n")
            images.write(picture + shown)
    partial.rename(whole)


def _jpeg(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", pixels[..., ::-1], [
        cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ])[1].tobytes()


Snapshot = tuple[np.ndarray | None, np.ndarray | None, dict[str, Any]]  # picture, label map, what is known


def _records(what: Snapshots, shard: int) -> Iterator[Snapshot]:
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
) -> Iterator[Snapshot]:
    simulation.reset(seed=seed, options=options)
    truth = simulation.truth()
    for view in range(what.views):
        if view:
            (advance if truth.remaining() and rng.random() < ADVANCED else rearrange)(simulation, rng)
        things = annotate(truth, "front") if what.pictures else whereabouts(truth, "front")
        picture = simulation.look()[image_key("front")] if what.pictures else None
        labels = label_map(truth, "front", things, LABEL_STEP) if what.pictures else None
        yield picture, labels, {**about, "seed": seed, "view": view, **describe(truth, things)}


def describe(truth: Truth, things: Sequence[Shown]) -> dict[str, Any]:
    """All that a question may be about: what is shown (points as shares of the image), and what is left to do."""
    width, height = truth.camera_size("front")
    return {
        "things": [asdict(replace(thing, u=thing.u / width, v=thing.v / height)) for thing in things],
        "instruction": truth.challenge.instruction, "infeasible": truth.infeasible(),
        "steps": [{"skill": s.skill, **_words(s.arguments)} for s in truth.remaining()],
    }


def _words(arguments: Any) -> dict[str, str]:
    return {name: value for name, value in arguments.items() if isinstance(value, str)}
