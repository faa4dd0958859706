"""What there is to learn from in an episode: pictures, what was measured with each, and what the demonstrator wanted.

A stretch is one subgoal from its first try to the end of the one that succeeded, failed tries and what was done about
them included. A subgoal that never succeeded is no lesson, nor is one that was believed done and measured not to be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tandem.bridge.contract import BodySpec, CameraPoint, EventKind, Subgoal, UnusableDataset, skill_named
from tandem.bridge.datasets.trajectory import Trajectory
from tandem.bridge.log import LogReader
from tandem.bridge.log.values import LoggedStep, Measurement
from tandem.policies.learned.layouts import pose_of
from tandem.policies.learned.taught import LEARNER
from tandem.policies.motion.kinematics import Arm


@dataclass(frozen=True)
class Stretch:
    """One subgoal.

    Attributes:
        subgoal: what was wanted.
        first: its first control step.
        end: behind its last.
    """

    subgoal: Subgoal
    first: int
    end: int


@dataclass(frozen=True, eq=False)
class Episode:
    """Numbers of an episode, on the grid of its control steps.

    Attributes:
        spec: of the body.
        actions: (T, n + 1) what the demonstrator wanted.
        q: (T, n) measured before each step.
        opening: (T,) likewise.
        tool: (T, 7) likewise.
        stretches: in order.
    """

    spec: BodySpec
    actions: np.ndarray
    q: np.ndarray
    opening: np.ndarray
    tool: np.ndarray
    stretches: tuple[Stretch, ...]

    def tools(self, arm: Arm) -> np.ndarray:
        """(T, 7) poses of the tool where the actions send it."""
        return np.array([pose_of(arm, action[:-1]) for action in self.actions])


_APART = 64

Shown = tuple[int, Mapping[str, np.ndarray]]
"""A control step, and by camera the uint8 (H, W, 3) that was seen before it."""


def read_log(path: Path) -> tuple[Episode, Iterator[Shown]]:
    """An episode log. Raises `UnusableDataset` without steps, `LogUnreadable` for no log."""
    log = LogReader(path)
    steps = list(log.steps())
    if not steps or [step.index for step in steps] != list(range(len(steps))):
        raise UnusableDataset(f"{path} has no control steps, or gaps between them: leave it out")
    before = [next(log.measurements()), *(step.measured for step in steps[:-1])]
    measured = {
        name: np.array([getattr(one, name) for one in before]) for name in ("joint_position", "tool_pose")
    }
    episode = Episode(
        log.spec, np.array([step.action for step in steps]), measured["joint_position"],
        np.array([one.gripper_opening[0] for one in before]), measured["tool_pose"],
        tuple(_stretches(log, steps)),
    )
    return episode, _pictures(log, before)


def _stretches(log: LogReader, steps: list[LoggedStep]) -> Iterator[Stretch]:
    tries: list[tuple[Subgoal, bool]] = []
    for event in log.events():
        if event.kind is EventKind.SUBGOAL_END:
            told = event.data
            done = told["claimed"] and told["failure"] is None  # not what only chance has done
            tries.append((Subgoal.from_dict(told["subgoal"]), done and told["measured"] is not False))
    rows: dict[int, list[int]] = {}
    for step in steps:
        if step.phase != LEARNER:
            rows.setdefault(step.subgoal, []).append(step.index)
    begun: int | None = None
    for number, (subgoal, done) in enumerate(tries):
        if number not in rows:
            continue
        again = number + 1 < len(tries) and _same(subgoal, tries[number + 1][0]) and _next(rows, number)
        begun = rows[number][0] if begun is None else begun
        if done:
            yield Stretch(subgoal, begun, rows[number][-1] + 1)
        if done or not again:
            begun = None


def _next(rows: Mapping[int, list[int]], number: int) -> bool:
    """Whether the next try goes on where this one ended: no learner's steps between them."""
    return number + 1 in rows and rows[number + 1][0] == rows[number][-1] + 1


def _same(one: Subgoal, other: Subgoal) -> bool:
    return one.skill == other.skill and _texts(one) == _texts(other)


def _texts(subgoal: Subgoal) -> list[str]:
    return [text for text in subgoal.arguments.values() if isinstance(text, str)]


def _pictures(log: LogReader, before: list[Measurement]) -> Iterator[Shown]:
    """At each moment at which every camera was looked through."""
    rows = {round(one.time_s * 1e6): k for k, one in enumerate(before)}
    streams = {camera.name: log.images(camera.name) for camera in log.spec.cameras if camera.name in log.cameras}
    waiting: dict[int, dict[str, np.ndarray]] = {}
    while True:
        shown = {name: next(stream, None) for name, stream in streams.items()}
        if not shown or all(one is None for one in shown.values()):
            return
        for name, one in shown.items():
            if one is not None and (row := rows.get(round(one.time_s * 1e6))) is not None:
                waiting.setdefault(row, {})[name] = one.array
        for row in sorted(row for row, seen in waiting.items() if len(seen) == len(streams)):
            yield row, waiting.pop(row)
        if len(waiting) > _APART:  # cameras that were looked through at other times: the oldest has no partner
            waiting.pop(min(waiting))


def read_trajectory(
    trajectory: Trajectory, skill: str, point: CameraPoint | None = None, every: int = 3
) -> tuple[Episode, Iterator[Shown]]:
    """An episode of a dataset, all of it one subgoal in the words of its task.

    Args:
        trajectory: of the dataset.
        skill: what it shows.
        point: where it points, if the same everywhere.
        every: control steps from one picture to the next.

    Raises `UnusableDataset` when it has no specification of its body, or lacks numbers.
    """
    spec = trajectory.spec
    if spec is None:
        raise UnusableDataset(f"{trajectory.source} has no specification of its body: export it from episode logs")
    lacking = [name for name in ("joint_position", "gripper_opening") if name not in trajectory.measured]
    if lacking:
        raise UnusableDataset(f"{trajectory.source} lacks {', '.join(lacking)}: export it from episode logs")
    q = trajectory.measured["joint_position"]
    arm = Arm(spec)
    tool = trajectory.measured.get("tool_pose")
    tool = np.array([pose_of(arm, row) for row in q]) if tool is None else tool
    arguments = {} if point is None else {"point": point}
    subgoal = _worded(skill, trajectory.task, arguments)
    episode = Episode(
        spec, np.asarray(trajectory.actions), np.asarray(q), trajectory.measured["gripper_opening"][:, 0],
        np.asarray(tool), (Stretch(subgoal, 0, len(trajectory)),) if trajectory.success is not False else (),
    )
    return episode, _every(trajectory, every)


def _worded(skill: str, words: str, arguments: Mapping[str, CameraPoint]) -> Subgoal:
    required = dict.fromkeys(skill_named(skill).required, words)
    return replace(Subgoal(skill, {**required, **arguments}), instruction=words)


def _every(trajectory: Trajectory, every: int) -> Iterator[Shown]:
    streams = {view.camera: view.checked(len(trajectory)) for view in trajectory.views}
    for row in range(len(trajectory)):
        shown = {name: next(stream).array for name, stream in streams.items()}
        if row % every == 0:
            yield row, shown
