"""A planner asked again: the questions of a log, put to any planner, and how its plans differ from the logged ones."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tandem.agent.evaluation.divergence import TOLERANCE, Finding, Status
from tandem.agent.replay.observations import Source
from tandem.bridge.contract import Attempt, CameraPoint, EventKind, Plan, Planner, PlannerFailed, PlanRequest, Subgoal
from tandem.bridge.log import LogReader

_SLACK_S = 1e-6  # stamps are whole nanoseconds


@dataclass(frozen=True)
class Asked:
    """One planner call of a log.

    Attributes:
        number: of the call, from 0.
        step: control step before what the planner was shown, -1 at the start.
        plan: the logged answer.
        history: the attempts that were over by then, without ground truth.
    """

    number: int
    step: int
    plan: Plan
    history: tuple[Attempt, ...]


@dataclass(frozen=True)
class PlanDifference:
    """How one answer differs.

    Attributes:
        number: of the call.
        step: control step before it.
        logged: the logged steps in words.
        again: the new ones, or why there are none.
        edits: steps to insert, remove or exchange to get from one to the other.
        point_px: largest distance between camera points of steps that are otherwise the same, 0 without any.
        same: equal in everything that is carried out.
    """

    number: int
    step: int
    logged: tuple[str, ...]
    again: tuple[str, ...]
    edits: int
    point_px: float
    same: bool


def asked(reader: LogReader) -> Iterator[Asked]:
    """The planner calls of a log. Raises `LogUnreadable`."""
    measured = [(measurement.time_s, measurement.index) for measurement in reader.measurements()]
    history: list[Attempt] = []
    number = thought = 0
    for event in reader.events():
        if event.kind is EventKind.SUBGOAL_END:
            history.append(replace(Attempt.from_dict(event.data), measured=None))
        elif event.kind is EventKind.THINKING and event.data["what"] == "planner":
            thought = event.data["charged_steps"]  # the answer is told when the body has paid for it
        elif event.kind is EventKind.PLAN:
            step = _step_at(event.time_s, measured, reader.spec.control_hz) - thought
            yield Asked(number, step, Plan.from_dict(event.data), tuple(history))
            number, thought = number + 1, 0


def _step_at(time_s: float, measured: Sequence[tuple[float, int]], control_hz: float) -> int:
    """The control step that ended at a body time, counted on from the last that was measured by then."""
    row = bisect_right(measured, (time_s + _SLACK_S, math.inf)) - 1
    known_s, index = measured[max(row, 0)]
    return index + round((time_s - known_s) * control_hz)


def ask_again(planner: Planner, calls: Sequence[Asked], source: Source, request: PlanRequest) -> list[PlanDifference]:
    """Put every logged question to a planner.

    Args:
        planner: whom to ask.
        calls: of the log.
        source: what was observed.
        request: instruction, catalogue and cameras; observation and history are filled in.
    """
    found = []
    for call in calls:
        question = replace(request, observation=source.at(call.step + 1), history=call.history)
        try:
            found.append(_difference(call, planner.plan(question)))
        except PlannerFailed as reason:
            found.append(PlanDifference(
                call.number, call.step, _words(call.plan), (f"failed: {reason}",), len(call.plan.subgoals), 0.0, False))
    return found


def _difference(call: Asked, plan: Plan) -> PlanDifference:
    old, new = call.plan.subgoals, plan.subgoals
    named = [_named(subgoal) for subgoal in old], [_named(subgoal) for subgoal in new]
    edits = _edit_distance(*named) + (call.plan.feasible != plan.feasible)
    point = max((_apart(a, b) for a, b in zip(old, new, strict=False) if _named(a) == _named(b)), default=0.0)
    same = plan.feasible == call.plan.feasible and [s.to_dict() for s in old] == [s.to_dict() for s in new]
    return PlanDifference(call.number, call.step, _words(call.plan), _words(plan), edits, point, same)


def _words(plan: Plan) -> tuple[str, ...]:
    if not plan.feasible:
        return (f"cannot be done: {plan.reason}",)
    return tuple(map(str, plan.subgoals)) or ("nothing is left to do",)


def _named(subgoal: Subgoal) -> tuple[Any, ...]:
    """What a step is, its camera points aside."""
    words = [(name, value) for name, value in sorted(subgoal.arguments.items()) if isinstance(value, str)]
    return subgoal.skill, *words


def _points(subgoal: Subgoal) -> dict[str, CameraPoint]:
    return {name: value for name, value in subgoal.arguments.items() if isinstance(value, CameraPoint)}


def _apart(a: Subgoal, b: Subgoal) -> float:
    """Largest distance in pixels between the camera points of two steps; infinite when one lacks one."""
    ours, theirs = _points(a), _points(b)
    if ours.keys() != theirs.keys() or any(ours[name].camera != theirs[name].camera for name in ours):
        return float("inf")
    return max((float(np.hypot(p.u - theirs[n].u, p.v - theirs[n].v)) for n, p in ours.items()), default=0.0)


def _edit_distance(a: Sequence[Any], b: Sequence[Any]) -> int:
    """Levenshtein's, by the row."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        last, row[0] = row[0], i
        for j, y in enumerate(b, start=1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (x != y))
    return row[-1]


def planner_finding(found: Sequence[PlanDifference], *, first_step: int = -1) -> Finding:
    """The verdict on the planner's layer: the first call whose plan is another one."""
    found = [one for one in found if one.step >= first_step]
    if not found:
        return Finding("planner", Status.INCOMPARABLE, None, "the log holds no planner call from there on")
    limit = TOLERANCE["px"]
    beyond = [one for one in found if one.edits or one.point_px > limit]
    odd = [one for one in found if not one.same]
    facts = {"calls": [vars(one) | {"point_px": _finite(one.point_px)} for one in found]}
    words = f"{len(found)} planner calls"
    if beyond:
        return Finding("planner", Status.DIVERGED, beyond[0].step, _told(beyond[0]), (), facts)
    if odd:
        return Finding("planner", Status.TOLERATED, odd[0].step, words, (), facts)
    return Finding("planner", Status.EXACT, None, words, (), facts)


def _told(one: PlanDifference) -> str:
    if one.edits:
        return f"call {one.number}: {', '.join(one.logged)} became {', '.join(one.again)}"
    if _finite(one.point_px) is None:
        return f"call {one.number}: a point is missing, or in another camera's picture"
    return f"call {one.number}: a point moved by {one.point_px:.1f} px"


def _finite(value: float) -> float | None:
    """JSON knows no infinity."""
    return value if math.isfinite(value) else None
