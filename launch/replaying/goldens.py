"""Golden traces: small logs in the repository of what the system did, and where it does otherwise now, by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from composition import Rig, System
from replaying.layers import same_course
from replaying.logged import Logged

from tandem.agent.evaluation.divergence import Finding, Status
from tandem.bridge.log import PicturePolicy, Recorder

FOLDER = Path(__file__).parents[2] / "tests" / "goldens"
CLOSE = 1e-6  # numbers in fields: another processor may round otherwise
DEMONSTRATED = {"policy": "demonstrator", "verifier": "predicate"}


@dataclass(frozen=True)
class Golden:
    """One trace.

    Attributes:
        system: choices, beside the scripted planner.
        seed: of the episode.
        options: of the run.
    """

    system: Mapping[str, Any]
    seed: int
    options: Mapping[str, Any] = field(default_factory=dict)


GOLDENS = {
    "pick_place": Golden({"task": "pick_place"}, 3),
    "insert": Golden({"task": "insert"}, 5),
    "drawer": Golden({"task": "drawer", **DEMONSTRATED}, 7),
    "stack-ur5e-moved": Golden({"task": "stack", "robot": "ur5e", "disturb": ("moved",), **DEMONSTRATED}, 11),
    "sort-infeasible": Golden({"task": "sort"}, 13, {"feasible": False}),
}


@dataclass(frozen=True)
class Change:
    """A field that is not what it was."""

    path: str
    then: Any
    now: Any


@dataclass(frozen=True)
class Comparison:
    """A golden trace and what happens now.

    Attributes:
        name: of the trace.
        course: verdict on the states.
        changes: fields of result, plans and events that are others now.
    """

    name: str
    course: Finding
    changes: tuple[Change, ...]

    @property
    def ok(self) -> bool:
        """Everything is as it was."""
        return self.course.ok and not self.changes

    @property
    def comparable(self) -> bool:
        """Whether anything may be said."""
        return self.course.status is not Status.INCOMPARABLE


def path_of(name: str) -> Path:
    """Where a trace lies."""
    return FOLDER / f"{name}.mcap"


def record(name: str, path: Path) -> None:
    """Run a trace's episode and write its log, without pictures."""
    golden = GOLDENS[name]
    rig = Rig(System(planner="scripted", **golden.system))
    try:
        with Recorder(path, **rig.stage.keeps(), pictures=PicturePolicy(every=0)) as recorder:
            rig.run(golden.seed, subscribers=[recorder], **golden.options)
    finally:
        rig.close()


def compare(name: str, folder: Path) -> Comparison:
    """Run a trace's episode again, logged into a folder, and compare. Raises `LogUnreadable` when there is no trace."""
    then = Logged(path_of(name))
    if then.obstacle:
        return Comparison(name, Finding("closed", Status.INCOMPARABLE, None, then.obstacle), ())
    path = folder / f"{name}.mcap"
    record(name, path)
    now = Logged(path)
    course = same_course(then, now.states, "states", {})
    return Comparison(name, course, tuple(changes(fields_of(then), fields_of(now))))


def fields_of(logged: Logged) -> dict[str, Any]:
    """What people and tools read of an episode, without what a clock or a machine put there."""
    reader = logged.reader
    result = {name: value for name, value in (reader.result or {}).items() if name != "wall_s"}
    certificate = dict(result.pop("certificate", None) or {})
    events = [{"kind": str(event.kind), "time_s": event.time_s, "message": event.message} for event in reader.events()]
    return {
        "instruction": reader.manifest["instruction"], "spec": reader.spec.to_dict(),
        "state_layout": reader.state_layout(), "channels": dict(reader.channels), "result": result,
        "certificate": certificate.get("verdict"), "events": events,
        "plans": [plan["subgoals"] for _, plan in reader.plans()],
    }


def changes(then: Any, now: Any, path: str = "") -> Iterator[Change]:
    """Where two nested values differ, by path."""
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        for name in dict.fromkeys([*then, *now]):
            yield from changes(then.get(name), now.get(name), f"{path}.{name}".lstrip("."))
    elif isinstance(then, list) and isinstance(now, list):
        for i in range(max(len(then), len(now))):
            pair = (values[i] if i < len(values) else None for values in (then, now))
            yield from changes(*pair, f"{path}[{i}]")
    elif not _same(then, now):
        yield Change(path, then, now)


def _same(then: Any, now: Any) -> bool:
    if isinstance(then, float) and isinstance(now, float | int):
        return bool(np.isclose(then, now, rtol=CLOSE, atol=CLOSE))
    return then == now
