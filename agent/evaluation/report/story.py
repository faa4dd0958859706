"""What a report shows of one episode, read from its log and bounded: a log may be long, cut off, or not ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tandem.bridge.contract import Event, EventKind, LogUnreadable
from tandem.bridge.log import LogReader
from tandem.bridge.log.storyboard import Scene, Storyboard

ATTEMPTS, EVENTS = 80, 80  # of one episode; the log holds the rest
_QUIET = (EventKind.SUBGOAL_START, EventKind.SUBGOAL_END, EventKind.PLAN, EventKind.CALLS, EventKind.THINKING)


@dataclass(frozen=True, eq=False)
class Series:
    """Commanded and measured positions along body time.

    Attributes:
        names: of the joints, and "gripper" last.
        command_s: (S,) body times of the commands.
        command: (S, n + 1) rad, and the gripper's opening.
        measured_s: (S,) body times of the measurements.
        measured: (S, n + 1) likewise.
        held: (S,) whether the body merely went on under its last command.
        changed: how many commands safety made differ from what the policy put out.
    """

    names: tuple[str, ...]
    command_s: np.ndarray
    command: np.ndarray
    measured_s: np.ndarray
    measured: np.ndarray
    held: np.ndarray
    changed: int


@dataclass(frozen=True)
class Tried:
    """One attempt at a subgoal.

    Attributes:
        number: from 1.
        skill: its name.
        words: the subgoal in words.
        claimed: the policy said that it finished.
        seen: the verifier's word, None when it does not know or was not asked.
        measured: the predicate's.
        failure: a code, empty when the attempt counts as done.
        detail: in words.
        evidence: of the verifier, where it says more than the detail.
        start_s: body time.
        end_s: body time, infinity when the log ends before.
    """

    number: int
    skill: str
    words: str
    claimed: bool | None
    seen: bool | None
    measured: bool | None
    failure: str
    detail: str
    evidence: str
    start_s: float
    end_s: float

    @classmethod
    def of(cls, number: int, scene: Scene) -> Tried:
        """As a log tells it."""
        attempt = scene.attempt or {}
        detail, evidence = str(attempt.get("detail") or ""), str((attempt.get("seen") or {}).get("evidence") or "")
        skill = attempt["subgoal"]["skill"] if attempt else ""
        return cls(
            number, str(skill), str(scene.text), *vars(scene.marks).values(), str(attempt.get("failure") or ""), detail,
            "" if evidence == detail else evidence, scene.start_s, scene.end_s,
        )

    @property
    def ended(self) -> bool:
        """Whether the log tells its end."""
        return bool(np.isfinite(self.end_s))

    @property
    def wrong(self) -> bool:
        """Failed, or measured untrue."""
        return bool(self.failure) or self.measured is False


@dataclass(frozen=True, eq=False)
class Story:
    """One episode.

    Attributes:
        tried: the attempts at subgoals, at most `ATTEMPTS`.
        events: what happened beside plans and subgoals, at most `EVENTS`.
        plans: body time and planner call, verbatim.
        calls: events of exchanges with a model that no plan holds.
        series: positions, None when the log holds no step.
        manifest: how to make the episode again.
        start_s: body time at which the log begins.
        end_s: body time at which it ends.
        notes: what a reader should know about the log, in sentences.
    """

    tried: tuple[Tried, ...]
    events: tuple[Event, ...]
    plans: tuple[tuple[float, Mapping[str, Any]], ...]
    calls: tuple[Event, ...]
    series: Series | None
    manifest: Mapping[str, Any]
    start_s: float
    end_s: float
    notes: tuple[str, ...]

    @property
    def culprit(self) -> Tried | None:
        """The last attempt, if it failed; else the first that is not true, though nobody saw it; else None."""
        if self.tried and self.tried[-1].failure:
            return self.tried[-1]
        return next((one for one in self.tried if one.measured is False and not one.failure), None)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Inside, whatever a log of an unexpected form raises becomes `LogUnreadable`."""
    try:
        yield
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as reason:
        raise LogUnreadable(f"{path.name} is not of the expected form: {type(reason).__name__}: {reason}") from reason


def read_story(log: LogReader) -> Story:
    """Everything but the pictures. Raises `LogUnreadable`."""
    with reading(log.path):
        scenes, events, series = Storyboard(log).scenes, list(log.events()), _series(log)
        shown = [event for event in events if event.kind not in _QUIET]
        times = [event.time_s for event in events] + ([series.command_s[0], series.measured_s[-1]] if series else [])
        notes = [*_notes(log), *_cuts(len(scenes), "subgoals", ATTEMPTS), *_cuts(len(shown), "events", EVENTS)]
        return Story(
            tuple(Tried.of(number, scene) for number, scene in enumerate(scenes[:ATTEMPTS], start=1)),
            tuple(shown[:EVENTS]), tuple(log.plans()),
            tuple(event for event in events if event.kind is EventKind.CALLS), series, log.manifest,
            float(min(times, default=0.0)), float(max(times, default=0.0)), tuple(notes),
        )


def _series(log: LogReader) -> Series | None:
    steps = list(log.steps()) if log.channels.get("/action") else []
    if not steps:
        return None
    measured = [step.measured for step in steps]
    rows = np.array([np.append(row.joint_position, row.gripper_opening) for row in measured])
    command = np.array([step.command for step in steps])
    names = (*log.spec.joint_names, "gripper")
    if command.shape != rows.shape or len(names) != rows.shape[1]:
        raise LogUnreadable(f"{log.path.name} has commands {command.shape} for measurements {rows.shape}")
    return Series(
        names, np.array([step.time_s for step in steps]), command, np.array([row.time_s for row in measured]), rows,
        np.array([step.held for step in steps]), sum(not np.array_equal(step.action, step.command) for step in steps),
    )


def _notes(log: LogReader) -> Iterator[str]:
    if log.recovered:
        yield f"The log was cut off: {log.recovered}."
    elif log.result is None:
        yield "The log has no end: the episode was broken off."
    if not log.cameras:
        yield "The log holds no pictures."
    lost = {kind: count for kind, count in ((log.result or {}).get("dropped") or {}).items() if count}
    if lost:
        yield f"The disk was too slow, the log lacks {', '.join(f'{count} {kind}' for kind, count in lost.items())}."


def _cuts(there: int, what: str, shown: int) -> Iterator[str]:
    if there > shown:
        yield f"Of {there} {what} the first {shown} are shown; the log holds the rest."
