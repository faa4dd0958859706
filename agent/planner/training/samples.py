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
from tandem.agent.planner.training.history import attempt, done, held, history_of, mistaken, subgoal_of
from tandem.agent.planner.training.notes import asides, notes
from tandem.bridge.contract import SKILLS, Attempt, CameraPoint, InvalidPlan, Outcome, Subgoal

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
        asides: what to note at places of the answer; see `notes.asides`.
    """

    question: Question
    answer: str
    notes: Mapping[int, str] = field(default_factory=dict)
    asides: Mapping[int, str] = field(default_factory=dict)


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
    told = compact(answer)
    return Sample(prompting.perceive(Picture(CAMERA, picture), canvas), told, asides=asides(told))


def plan(record: Mapping[str, Any], canvas: Canvas, rng: np.random.Generator) -> Sample | None:
    """What is left to do, from the scene in words; None when a plan needs what is not seen."""
    record, pressed = _maybe_pressed(record, rng)
    history = (*history_of(record, rng), *pressed)
    scene = scene_of(mistaken(record, history, rng), rng)
    try:
        if record["infeasible"]:
            answer = write_refusal(record["infeasible"])
        else:
            answer = write_plan(_ordered(record["steps"], scene), canvas, scene)
    except InvalidPlan:
        return None
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
    return {**record, "steps": []}, (attempt(subgoal_of(steps[0])),)


def _as_typed(instruction: str, rng: np.random.Generator) -> str:
    return instruction[:1].upper() + instruction[1:] if rng.random() < 0.25 else instruction


def _ordered(steps: Sequence[Mapping[str, str]], scene: Scene) -> list[Subgoal]:
    """Subgoals; where the order is free (blocks into bins), as the scene lists them."""
    subgoals = [subgoal_of(step) for step in steps]
    free = all(s.skill == "pick" or s.arguments.get("target", "").endswith(" bin") for s in subgoals)
    if not free or len(subgoals) < 3 or any(name.endswith(" parcel") for name in scene.names):
        return subgoals
    head = subgoals[:1] if subgoals[0].skill == "place" else []
    pairs = list(zip(subgoals[len(head)::2], subgoals[len(head) + 1::2], strict=True))
    order = {name: index for index, name in enumerate(scene.names)}
    pairs.sort(key=lambda pair: order.get(pair[0].arguments["object"], 99))
    return [*head, *(subgoal for pair in pairs for subgoal in pair)]


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
    true, names = done(things), [thing["name"] for thing in things]
    true += [Subgoal("pick", {"object": thing["name"]}) for thing in things if thing["where"] == "in the gripper"]
    true = [step for step in true if step.skill != "pick" or step.arguments["object"] in held(things)]
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
