"""What may have been tried before a plan is asked for, and what eyes may get wrong that the history puts right.

Deployment's questions have the marks of what went before: things that were done, failures in the words of policies and
verifiers, something in the hand, and lists of things with a mistake in them. What is to be planned stays what is true.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tandem.bridge.contract import Attempt, FailureCode, Outcome, Subgoal, Verdict

UNTRIED = (0.7, 0.35)  # share of questions without a history: of the first look at a table, of later ones
TOLD = 0.9  # share of what can be seen to be done that the history tells
UNDONE = 0.12  # share of histories that tell as done what has come undone since
FAILED, REFUSED = 0.5, 0.3  # share of histories with a failure of what is next, and with a step that could not begin
MISPLACED, UNSEEN = 0.12, 0.08  # share of what was put somewhere that eyes take to lie on the table, or overlook


def history_of(record: Mapping[str, Any], rng: np.random.Generator) -> tuple[Attempt, ...]:
    """What may have been tried: what is seen to be done, what came undone, and perhaps a failure of what is left."""
    if record["infeasible"] or rng.random() < UNTRIED[record.get("view", 0) > 0]:
        return ()
    attempts = [attempt(step) for step in done(record["things"]) if rng.random() < TOLD]
    left = [subgoal_of(step) for step in record["steps"]]
    if len(left) > 1 and left[0].skill == "pick" and rng.random() < UNDONE:
        attempts += [attempt(step) for step in left[:2]]
    attempts += [attempt(Subgoal("pick", {"object": name})) for name in held(record["things"])]
    if left and rng.random() < FAILED:
        attempts += [attempt(left[0], *_trouble(left[0], rng)) for _ in range(rng.integers(1, 4))]
    if left and rng.random() < REFUSED:
        attempts += _refused(record["things"], left[0], rng)
    return tuple(attempts)


def mistaken(
    record: Mapping[str, Any], history: Sequence[Attempt], rng: np.random.Generator
) -> list[Mapping[str, Any]]:
    """The things as eyes may list them: some of what the history tells of is not seen to lie where it was put."""
    put = {a.subgoal.arguments["object"] for a in history if a.failure is None and "target" in a.subgoal.arguments
           and "object" in a.subgoal.arguments}
    needed = {name for step in record["steps"] for name in step.values()}
    seen = []
    for thing in record["things"]:
        if thing["name"] in put and thing["where"].startswith(("in the ", "on the ")):
            chance = rng.random()
            if chance < MISPLACED:
                thing = {**thing, "where": "on the table"}
            elif chance < MISPLACED + UNSEEN and thing["name"] not in needed:
                continue
        seen.append(thing)
    return seen


def done(things: Sequence[Mapping[str, Any]]) -> list[Subgoal]:
    """The steps that would have led to what is seen."""
    names, steps = {thing["name"] for thing in things}, []
    for thing in things:
        word, _, support = thing["where"].partition(" the ")
        if thing["where"] == "open" and thing["name"].endswith("handle"):
            steps.insert(0, Subgoal("open", {"target": thing["name"]}))
        if word in ("in", "on") and support in names and not support.endswith("table"):
            onto = "stack_on" if word == "on" and support != "mat" else "place"
            skill = "insert" if support.endswith("socket") else onto
            steps.append(Subgoal("pick", {"object": thing["name"]}))
            steps.append(Subgoal(skill, {"object": thing["name"], "target": support}))
    return steps


def held(things: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of what is in the gripper."""
    return [thing["name"] for thing in things if thing["where"] == "in the gripper"]


def subgoal_of(step: Mapping[str, str]) -> Subgoal:
    """A step of a record."""
    return Subgoal(step["skill"], {name: value for name, value in step.items() if name != "skill"})


def attempt(subgoal: Subgoal, failure: FailureCode | None = None, detail: str = "") -> Attempt:
    """Done and seen to be, or failed."""
    seen = Verdict(Outcome.SUCCESS, "seen") if failure is None else None
    return Attempt(subgoal, failure is None, seen, None, failure and str(failure), detail, 0.0, 1.0)


def _refused(things: Sequence[Mapping[str, Any]], step: Subgoal, rng: np.random.Generator) -> list[Attempt]:
    """What could not begin, because the hand was full, or empty."""
    if not held(things):
        if step.skill != "pick":
            return []
        refused = Subgoal("place", {"object": step.arguments["object"], "target": str(rng.choice(_names(things)))})
        return [attempt(refused, FailureCode.PRECONDITION_FAILED, "place needs a held object; the gripper is empty")]
    refused = Subgoal("pick", {"object": str(rng.choice(_names(things)))})
    words = "pick needs an empty gripper; it holds something (place it first)"
    return [attempt(refused, FailureCode.PRECONDITION_FAILED, words)] * int(rng.integers(1, 4))


def _names(things: Sequence[Mapping[str, Any]]) -> list[str]:
    return [thing["name"] for thing in things]


def _trouble(step: Subgoal, rng: np.random.Generator) -> tuple[FailureCode, str]:
    """A failure of a step, in words such as policies and verifiers use."""
    name, width = step.arguments.get("object", step.arguments.get("target", "it")), int(rng.integers(20, 60))
    grip, away = f"gripper opening {rng.uniform(0.2, 0.6):.2f}", int(rng.integers(55, 240))
    lost = FailureCode.OBJECT_LOST, f"the object slipped out of the gripper during {rng.choice(['lift', 'transfer'])}"
    unseen = FailureCode.OBJECT_NOT_FOUND, f"'{name}' is not in sight, or the robot hides it"
    far = FailureCode.UNREACHABLE, f"the straight path leaves the reach at tool at x 0.{away}, y 0.{width}, z 0.101 m"
    if step.skill == "pick":
        change = f"surface at the point changed by {int(rng.integers(-5, 110)):+d} mm"
        known = (
            (FailureCode.GRASP_FAILED, f"the fingers closed to 0 mm where '{name}' is {width} mm wide"), lost, far,
            (FailureCode.CRITERION_NOT_MET, f"{grip}, tool {away} mm above the picked point, {change}: something is "
             "still there"), unseen,
            (FailureCode.OBJECT_NOT_FOUND, f"'{name}' is no longer where it was"),
        )
    else:
        raised = f"{rng.uniform(0, 0.3):.1f} cm2 around the target are higher than before"
        where = f"{grip} before, 1.00 after, tool {away} mm away, {raised}"
        known = (
            (FailureCode.CRITERION_NOT_MET, f"{where}: nothing new lies there"), lost, far, unseen,
            (FailureCode.CRITERION_NOT_MET, f"{where}; {int(rng.integers(51, 90))}% of it is hidden"),
        )
    return known[rng.integers(len(known))]
