"""A trajectory as an ordinary episode log, so that every tool that reads logs reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tandem.bridge.contract.episode import EpisodeResult, EpisodeStart, Step
from tandem.bridge.contract.observation import Observation, image_key
from tandem.bridge.datasets.body import body_of, joint_count
from tandem.bridge.datasets.trajectory import Trajectory
from tandem.bridge.log import PicturePolicy, Recorder, manifest

ALL_PICTURES = PicturePolicy(every=1, format="png")  # a video has cost enough already


def record(
    trajectory: Trajectory, path: Path, origin: dict[str, Any], pictures: PicturePolicy = ALL_PICTURES,
    advance: Callable[[], None] = lambda: None,
) -> None:
    """Write the log of one trajectory.

    The measurement after the last action is not in a dataset: the last one stands in for it. What nobody knows (a
    tool's pose, a gripper) is NaN, and named in the manifest under `source.unknown`.

    Args:
        trajectory: what happened.
        path: the file to make, `*.mcap`; it must not exist.
        origin: where it comes from, for the manifest.
        pictures: how pictures are kept.
        advance: called after each step.

    Raises `UnusableDataset` at a picture that cannot be read (the log is removed), `LogUnwritable`.
    """
    spec, rows = body_of(trajectory), _observations(trajectory)
    with _whole_or_none(path), Recorder(path, pictures=pictures, **_keeps(trajectory)) as recorder:
        now = next(rows)
        recorder.on_episode_start(EpisodeStart(trajectory.task, spec, now, _manifest(trajectory, origin)))
        commands = trajectory.measured.get("command", trajectory.actions)
        for index, (action, command) in enumerate(zip(trajectory.actions, commands, strict=True)):
            after = next(rows, None)
            after = _without_pictures(now, 1 / trajectory.fps) if after is None else after
            recorder.on_step(Step(index, now, action, command, after))
            now = after
            advance()
        recorder.on_episode_end(_result(trajectory))


@contextmanager
def _whole_or_none(path: Path) -> Iterator[None]:
    existed = path.exists()
    try:
        yield
    except BaseException:
        if not existed:
            path.unlink(missing_ok=True)
        raise


def _observations(trajectory: Trajectory) -> Iterator[Observation]:
    numbers = _numbers(trajectory)
    views = [(image_key(view.camera), view.checked(len(trajectory))) for view in trajectory.views]
    for row in range(len(trajectory)):
        pictures = {key: next(frames).array for key, frames in views}
        yield {name: values[row] for name, values in numbers.items()} | pictures


def _numbers(trajectory: Trajectory) -> dict[str, np.ndarray]:
    """By observation key, (T, m); what was measured goes before what can be derived from the state."""
    count, size = len(trajectory), joint_count(trajectory)
    joints, rest = trajectory.state[:, :size], trajectory.state[:, size:]
    derived = {
        "joint_position": joints,
        "joint_velocity": np.gradient(joints, axis=0) * trajectory.fps if count > 1 else np.zeros_like(joints),
        "gripper_opening": rest if rest.shape[1] else np.full((count, 1), np.nan),
        "tool_pose": np.full((count, 7), np.nan),
        "time": np.arange(count)[:, None] / trajectory.fps,
    }
    return {name: trajectory.measured.get(name, values) for name, values in derived.items()}


def _without_pictures(observation: Observation, later_s: float) -> Observation:
    numbers = {key: value for key, value in observation.items() if not key.startswith("image.")}
    return numbers | {"time": observation["time"] + later_s}


def _keeps(trajectory: Trajectory) -> dict[str, Any]:
    """Arguments of the recorder: the simulator's states, where there are any, each in its turn."""
    simulation = trajectory.simulation
    if simulation is None:
        return {}
    turns = iter([*simulation.states, simulation.states[-1]])
    model = {"model": simulation.model, "model_name": simulation.model_name} if simulation.model_name else {}
    return {"state": lambda: next(turns), "state_layout": simulation.layout, **model}


def _manifest(trajectory: Trajectory, origin: dict[str, Any]) -> dict[str, Any]:
    numbers = _numbers(trajectory)
    derived = [] if "joint_velocity" in trajectory.measured else ["joint_velocity"]
    unknown = [name for name, values in numbers.items() if np.isnan(values).any()]
    source = {**origin, **trajectory.origin, "derived": derived, "unknown": unknown}
    system = {"task": "imported", "planner": "recorded", "policy": "recorded"}
    return manifest(seed=trajectory.origin.get("seed"), system=system, source=source)


def _result(trajectory: Trajectory) -> EpisodeResult:
    known = trajectory.success is not None
    said = "success" if trajectory.success else "failure"
    return EpisodeResult(
        claimed=bool(trajectory.origin.get("claimed", trajectory.success)), seen=None, measured=trajectory.success,
        infeasible=False, failure=None, reason=f"imported; the dataset says: {said if known else 'nothing'}",
        progress=None, attempts=(), steps=len(trajectory), plans=0, body_s=len(trajectory) / trajectory.fps, wall_s=0.0,
        privileged=bool(trajectory.origin.get("privileged", False)),
    )
