"""Questions with their right answers, made of what is known of a picture by the code that deployment uses."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tandem.agent.planner import prompting
from tandem.agent.planner.canvas import Canvas
from tandem.agent.planner.family import Family
from tandem.agent.planner.model import Picture, Question
from tandem.agent.planner.scene import Scene, Thing
from tandem.agent.planner.steps import write_plan, write_refusal
from tandem.agent.planner.training.notes import notes
from tandem.bridge.contract import SKILLS, Attempt, CameraPoint, FailureCode, InvalidPlan, Outcome, Subgoal, Verdict

CAMERA, SIZE = "front", (640, 480)
GRID = 200  # coordinates are taught on this grid: multiples of five thousandths
JITTER = 0.004  # share of the picture by which a perceived point may be off


@dataclass(frozen=True, eq=False)
class Sample:
    """A question and its answer.

    Attributes:
        question: as deployment asks it.
        answer: compact JSON.
        notes: what to note at places of the question's one text; see `notes.notes`.
    """

    question: Question
    answer: str
    notes: Mapping[int, str] = field(default_factory=dict)


def compact(value: Mapping[str, Any]) -> str:
    """JSON as a grammar writes it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def canvas_of(family: Family, resized: tuple[int, int]) -> Canvas:
    """Of the pictures that training uses."""
    return Canvas(family, CAMERA, SIZE, resized)


def scene_of(things: Sequence[Mapping[str, Any]], rng: np.random.Generator | None = None) -> Scene:
    """What a model should perceive, on the grid that it writes on; with a generator, as inexactly as it may."""
    made = []
    for thing in things:
        u, v = thing["u"], thing["v"]
        if rng is not None:
            u, v = u + rng.normal(0, JITTER), v + rng.normal(0, JITTER)
        u, v = (min(max(round(share * GRID), 0), GRID - 1) / GRID for share in (u, v))
        made.append(Thing(thing["name"], CameraPoint(CAMERA, u * SIZE[0], v * SIZE[1]), thing["where"]))
    return Scene(tuple(made))


def perceive(
    picture: np.ndarray, things: Sequence[Mapping[str, Any]], canvas: Canvas, *, as_given: bool = False
) -> Sample:
    """Everything that is there, from left to right, or in the order that is given. A reader takes it in any order."""
    answer = scene_of(things).value(canvas)
    if as_given:
        answer = {"things": [value for thing in things for value in scene_of([thing]).value(canvas)["things"]]}
    return Sample(prompting.perceive(Picture(CAMERA, picture), canvas), compact(answer))


def plan(record: Mapping[str, Any], canvas: Canvas, rng: np.random.Generator) -> Sample | None:
    """What is left to do, from the scene in words; None when a plan needs what is not seen."""
    scene = scene_of(record["things"], rng)
    record, pressed = _maybe_pressed(record, rng)
    try:
        if record["infeasible"]:
            answer = write_refusal(record["infeasible"])
        else:
            answer = write_plan(_ordered(record["steps"], scene), canvas, scene)
    except InvalidPlan:
        return None
    history = (*_history(record, rng), *pressed)
    question = prompting.plan(
        _as_typed(record["instruction"], rng), scene, canvas, catalogue=SKILLS, history=history
    )
    return Sample(question, compact(answer), notes(str(question.parts[0]), record))


def recite(record: Mapping[str, Any], canvas: Canvas, rng: np.random.Generator) -> Sample:
    """The scene in words, to be written as it would be perceived: nothing but copying, which planning rests on.

    No prompt of deployment; it shortens the time before a text tower learns to look things up.
    """
    scene = scene_of(record["things"], rng)
    question = Question("recite", "recite", (f"Scene:\n{scene.lines(canvas)}",), {})
    return Sample(question, compact(scene.value(canvas)))


def _maybe_pressed(
    record: Mapping[str, Any], rng: np.random.Generator
) -> tuple[Mapping[str, Any], tuple[Attempt, ...]]:
    """A button that springs back shows nothing: only the history tells that it has been pressed."""
    steps = record["steps"]
    if record["infeasible"] or [step["skill"] for step in steps] != ["press"] or rng.random() < 0.5:
        return record, ()
    return {**record, "steps": []}, (_attempt(Subgoal(**_split(steps[0])), None, ""),)


def _as_typed(instruction: str, rng: np.random.Generator) -> str:
    return instruction[:1].upper() + instruction[1:] if rng.random() < 0.25 else instruction


def _ordered(steps: Sequence[Mapping[str, str]], scene: Scene) -> list[Subgoal]:
    """Subgoals; where the order is free (blocks into bins), as the scene lists them."""
    subgoals = [Subgoal(step["skill"], {k: v for k, v in step.items() if k != "skill"}) for step in steps]
    free = all(s.skill == "pick" or s.arguments.get("target", "").endswith(" bin") for s in subgoals)
    if not free or len(subgoals) < 3 or any(name.endswith(" parcel") for name in scene.names):
        return subgoals
    head = subgoals[:1] if subgoals[0].skill == "place" else []
    pairs = list(zip(subgoals[len(head)::2], subgoals[len(head) + 1::2], strict=True))
    order = {name: index for index, name in enumerate(scene.names)}
    pairs.sort(key=lambda pair: order.get(pair[0].arguments["object"], 99))
    return [*head, *(subgoal for pair in pairs for subgoal in pair)]


_TROUBLES = (
    (FailureCode.GRASP_FAILED, "the fingers closed on nothing"),
    (FailureCode.OBJECT_LOST, "it slipped out of the gripper"),
    (FailureCode.CRITERION_NOT_MET, "something is still there"),
    (FailureCode.PLACE_FAILED, "nothing new lies there"),
    (FailureCode.OBJECT_NOT_FOUND, "the point hits nothing"),
    (FailureCode.UNREACHABLE, "out of reach"),
)


def _history(record: Mapping[str, Any], rng: np.random.Generator) -> tuple[Attempt, ...]:
    """What may have been tried before: what can be seen to be done, and perhaps a failure of what is left."""
    if record["infeasible"] or rng.random() < (0.7 if record.get("view", 0) == 0 else 0.35):
        return ()
    attempts = [_attempt(subgoal, None, "") for subgoal in _done(record["things"]) if rng.random() < 0.9]
    if record["steps"] and rng.random() < 0.5:
        failed = Subgoal(**_split(record["steps"][0]))
        code, detail = _TROUBLES[rng.integers(len(_TROUBLES))]
        attempts += [_attempt(failed, code, detail)] * int(rng.integers(1, 3))
    return tuple(attempts)


def _done(things: Sequence[Mapping[str, Any]]) -> list[Subgoal]:
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


def _split(step: Mapping[str, str]) -> dict[str, Any]:
    return {"skill": step["skill"], "arguments": {k: v for k, v in step.items() if k != "skill"}}


def _attempt(subgoal: Subgoal, failure: FailureCode | None, detail: str) -> Attempt:
    seen = Verdict(Outcome.SUCCESS, "seen") if failure is None else None
    return Attempt(subgoal, failure is None, seen, None, failure and str(failure), detail, 0.0, 1.0)


def judge(
    record: Mapping[str, Any], before: np.ndarray, after: np.ndarray, rng: np.random.Generator
) -> Sample | None:
    """Whether a statement that steps of plans end with is true; None when there is nothing to state anything of.

    Args:
        record: what is known of `after`.
        before: uint8 (H, W, 3), an earlier picture of the same table.
        after: uint8 (H, W, 3).
        rng: the random generator.
    """
    subgoal = _statement(record["things"], rng)
    if subgoal is None:
        return None
    criterion = SKILLS[subgoal.skill].words(subgoal.arguments)[1]
    question = prompting.judge(criterion, Picture(CAMERA, before), Picture(CAMERA, after))
    outcome, evidence = _judged(subgoal, {thing["name"]: thing["where"] for thing in record["things"]})
    return Sample(question, compact({"evidence": evidence, "verdict": str(outcome)}))


def _statement(things: Sequence[Mapping[str, Any]], rng: np.random.Generator) -> Subgoal | None:
    """A step whose end is true in half of the cases, if there is one."""
    true, names = _done(things), [thing["name"] for thing in things]
    true += [Subgoal("pick", {"object": thing["name"]}) for thing in things if thing["where"] == "in the gripper"]
    true = [step for step in true if step.skill != "pick" or step.arguments["object"] in _held(things)]
    handles, homes = [n for n in names if n.endswith("handle")], [n for n in names if n.endswith(_HOMES)]
    true += [Subgoal("close", {"target": t["name"]}) for t in things if t["name"] in handles and t["where"] == "shut"]
    loose = [name for name in names if name not in homes and not name.endswith(_FIXED)]
    false: list[Subgoal] = [Subgoal(skill, {"target": name}) for name in handles for skill in ("open", "close")]
    false += [Subgoal("press", {"target": name}) for name in names if name == "start button"]
    if loose:
        thing = str(rng.choice(loose))
        false += [Subgoal("pick", {"object": thing})]
        false += [Subgoal("insert" if home.endswith("socket") else "place", {"object": thing, "target": home})
                  for home in homes]
        false += [Subgoal("stack_on", {"object": thing, "target": other}) for other in loose if other != thing][:1]
    drawn = true if true and rng.random() < 0.5 else false or true
    return drawn[rng.integers(len(drawn))] if drawn else None


_HOMES = (" bin", " slot", "fixture", " socket", "drawer")
_FIXED = ("handle", "tray", "mat", "conveyor", "cabinet", "start button")


def _held(things: Sequence[Mapping[str, Any]]) -> set[str]:
    return {thing["name"] for thing in things if thing["where"] == "in the gripper"}


def _judged(subgoal: Subgoal, where: Mapping[str, str]) -> tuple[Outcome, str]:
    """What the second picture says of the end of a step."""
    arguments = subgoal.arguments
    if subgoal.skill == "press":
        return Outcome.INCONCLUSIVE, "a button that springs back shows nothing"
    name = arguments.get("object", arguments.get("target"))
    if name not in where:
        return Outcome.INCONCLUSIVE, f"the {name} is not to be seen"
    wanted = {
        "pick": {"in the gripper"}, "open": {"open"}, "close": {"shut"},
    }.get(subgoal.skill) or {f"in the {arguments['target']}", f"on the {arguments['target']}"}
    outcome = Outcome.SUCCESS if where[name] in wanted else Outcome.FAILURE
    return outcome, f"the {name} is {where[name]}"
