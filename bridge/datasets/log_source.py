"""A trajectory out of an episode log. The grid is the control step; a channel gives its latest value (latest-at)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from tandem.bridge.contract.errors import UnusableDataset
from tandem.bridge.contract.spec import BodySpec
from tandem.bridge.datasets.trajectory import Frame, SimulatedStates, Trajectory, View
from tandem.bridge.log import LogReader, topics
from tandem.bridge.log.values import LoggedStep, Measurement, Picture

GRIPPER = "gripper"
MEASURED = ("joint_position", "joint_velocity", "gripper_opening", "tool_pose")
_SLACK_S = 1e-6  # stamps are whole nanoseconds

FrameSource = Callable[[LogReader, str, np.ndarray], Iterator[np.ndarray]]
"""Log, camera, body times (T,): an image uint8 (H, W, 3) of each time, rendered from the log's states."""


def trajectory_of(
    log: LogReader, cameras: tuple[str, ...] | None = None, render: FrameSource | None = None
) -> Trajectory:
    """The trajectory of a log, whole or cut off.

    Args:
        log: the log.
        cameras: which of them, None for those that `cameras_of` gives.
        render: makes the pictures instead of taking those that were looked at.

    Raises `UnusableDataset` when the log holds no step, or not these cameras.
    """
    (steps, seen), spec = _steps_of(log), log.spec
    grid = np.arange(max(steps[0].index, seen[0].index + 1), steps[-1].index + 1)
    rows, late = _latest([step.index for step in steps], grid)
    before, old = _latest([one.index + 1 for one in seen], grid)
    times = np.array([step.time_s for step in steps])[rows] + late * spec.dt_s
    measured = {"command": np.array([step.command for step in steps])[rows]}
    measured |= _known({name: np.array([getattr(one, name) for one in seen])[before] for name in MEASURED})
    names, state = _state(spec, measured)
    return Trajectory(
        fps=spec.control_hz, task=log.manifest["instruction"], robot=spec.robot, state_names=names, state=state,
        action_names=spec.action.names, actions=np.array([step.action for step in steps])[rows],
        views=_views(log, cameras, render, times), success=None if log.result is None else log.result["success"],
        source=log.path.name, measured=measured, spec=spec, simulation=_simulation(log, times),
        origin=describe_log(log), ages_s={"state and action": float(max(late.max(), old.max()) * spec.dt_s)},
    )


def cameras_of(log: LogReader, render: FrameSource | None = None) -> tuple[str, ...]:
    """Cameras that can be exported: those with pictures, or every one of the body when pictures are rendered."""
    every = tuple(camera.name for camera in log.spec.cameras)
    return every if render is not None else tuple(name for name in every if name in log.cameras)


def _steps_of(log: LogReader) -> tuple[list[LoggedStep], list[Measurement]]:
    """The steps, and what was measured; a step is of use when something was measured before it."""
    wanted = (topics.ACTION, topics.COMMAND, topics.MEASURED)
    steps = list(log.steps()) if all(topic in log.channels for topic in wanted) else []
    seen = list(log.measurements()) if steps else []
    if not steps or steps[-1].index <= seen[0].index:
        raise UnusableDataset(f"{log.path} holds no control step: leave it out")
    return steps, seen


def _latest(there: list[int], grid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For every step of the grid, which is the latest of those that are there, and how many steps ago that was."""
    rows = np.searchsorted(there, grid, side="right") - 1
    return rows, grid - np.array(there)[rows]


def _known(measured: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Without what an import did not know and left as NaN."""
    return {name: rows for name, rows in measured.items() if not np.isnan(rows).any()}


def _state(spec: BodySpec, measured: dict[str, np.ndarray]) -> tuple[tuple[str, ...], np.ndarray]:
    if "gripper_opening" not in measured:
        return spec.joint_names, measured["joint_position"]
    return (*spec.joint_names, GRIPPER), np.hstack([measured["joint_position"], measured["gripper_opening"]])


def _views(
    log: LogReader, cameras: tuple[str, ...] | None, render: FrameSource | None, times: np.ndarray
) -> tuple[View, ...]:
    there = cameras_of(log, render)
    views = []
    for name in there if cameras is None else cameras:
        if name not in there:
            raise UnusableDataset(f"{log.path} has no picture of camera {name!r}; it has: {', '.join(there) or 'none'}")
        camera = log.spec.camera(name)
        frames = partial(_held, log, name, times) if render is None else partial(_rendered, render, log, name, times)
        views.append(View(name, camera.width, camera.height, frames))
    return tuple(views)


def _rendered(render: FrameSource, log: LogReader, camera: str, times: np.ndarray) -> Iterator[Frame]:
    return (Frame(image) for image in render(log, camera, times))


def _held(log: LogReader, camera: str, times: np.ndarray) -> Iterator[Frame]:
    """The latest picture at each time; before the first there is, the first."""
    pictures = log.images(camera)
    now = next(pictures, None)
    if now is None:
        raise UnusableDataset(f"{log.path} has no picture of camera {camera!r} that can be read: choose with --cameras")
    coming: Picture | None = next(pictures, None)
    for time_s in times:
        while coming is not None and coming.time_s <= time_s + _SLACK_S:
            now, coming = coming, next(pictures, None)
        age_s = abs(float(time_s) - now.time_s)
        yield Frame(now.array, age_s if age_s > _SLACK_S else 0.0)


def _simulation(log: LogReader, times: np.ndarray) -> SimulatedStates | None:
    if topics.STATE not in log.channels:
        return None
    model = log.model() if log.manifest.get("model") else ("", b"")
    return SimulatedStates(states_at(log, times), log.state_layout(), *model)


def states_at(log: LogReader, times: np.ndarray) -> np.ndarray:
    """The latest logged simulator state (T, N) at each body time (T,)."""
    logged, states = log.states()
    rows = np.searchsorted(logged, times + _SLACK_S, side="right") - 1
    return states[np.maximum(rows, 0)]


def describe_log(log: LogReader) -> dict[str, Any]:
    """What a dataset remembers of a log beside its numbers, plain types."""
    result = log.result or {}
    return {
        "source": log.path.name, "started": log.manifest.get("started"), "seed": log.manifest.get("seed"),
        "success": result.get("success"), "claimed": result.get("claimed"), "privileged": result.get("privileged"),
        "recovered": log.recovered,
    }
