"""Makes questions: the same words for the same situation, in deployment and in training.

The system text of a kind depends on nothing that changes within an episode, so that its prefix can be kept. What a
user says is put on one line, so that it cannot pass for a line of the scene.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from string import Template

from tandem.agent.planner.canvas import Canvas
from tandem.agent.planner.model import Picture, Question
from tandem.agent.planner.scene import Scene
from tandem.agent.planner.schema import judge_schema, perceive_schema, plan_schema, slots
from tandem.bridge.contract import SKILLS, Attempt, PlannerFailed, SkillSpec

MAX_INSTRUCTION = 2000  # characters: more is no instruction but a mistake or an attack
MAX_DETAIL = 160  # characters of what is told of a failure
MAX_HISTORY = 20  # attempts, the newest


def perceive(picture: Picture, canvas: Canvas) -> Question:
    """What is there, with points?"""
    system = _system("perceive", canvas)
    return Question("perceive", system, (picture, "What is there?"), perceive_schema(canvas), max_tokens=2048)


def plan(
    instruction: str, scene: Scene | None, canvas: Canvas, *, picture: Picture | None = None,
    catalogue: Mapping[str, SkillSpec] = SKILLS, history: Sequence[Attempt] = (),
) -> Question:
    """What is to be done? With a history, a replan.

    The instruction stands before the scene and after it: a model that reads in one direction can then look for every
    thing of the scene in the instruction, and for everything that is asked for in the scene.

    Args:
        instruction: the task in plain words; `PlannerFailed` if there are none, or far too many.
        scene: what was perceived; None if the picture is all there is to go by.
        canvas: of the camera that the scene was seen through.
        picture: shown as well, if given.
        catalogue: the skills that may be named.
        history: earlier attempts, oldest first.
    """
    kind = "replan" if history else "plan"
    asked = f"Instruction: {one_line(instruction)}"
    blocks = [asked]
    if scene is not None:
        blocks.append(f"Scene:\n{scene.lines(canvas)}")
    if history:
        blocks.append("So far:\n" + "\n".join(attempt_line(attempt) for attempt in history[-MAX_HISTORY:]))
    if len(blocks) > 1:
        blocks.append(asked)
    system = _system(kind, canvas, skills=skill_lines(catalogue))
    parts = (picture, "\n".join(blocks)) if picture is not None else ("\n".join(blocks),)
    return Question(kind, system, parts, plan_schema(catalogue, scene, canvas), max_tokens=1024)


def judge(criterion: str, before: Picture, after: Picture) -> Question:
    """Does it hold? The question has the criterion and two pictures, never what the agent says of itself."""
    parts = ("Before:", before, "After:", after, f"Statement: {one_line(criterion)}")
    return Question("judge", _template("judge").substitute(), parts, judge_schema(), max_tokens=256)


def one_line(words: str) -> str:
    """The words without line breaks; `PlannerFailed` if there are none, or far too many."""
    line = " ".join(words.split())
    if not line:
        raise PlannerFailed("the instruction is empty; say what is to be done")
    if len(line) > MAX_INSTRUCTION:
        raise PlannerFailed(f"the instruction has {len(line)} characters; say it in at most {MAX_INSTRUCTION}")
    return line


def attempt_line(attempt: Attempt) -> str:
    """'- pick red cube: done', '- pick red cube: GRASP_FAILED, the fingers closed on nothing'."""
    words = ", ".join(value for value in attempt.subgoal.arguments.values() if isinstance(value, str))
    step = f"{attempt.subgoal.skill} {words}".strip()
    if attempt.failure is None:
        return f"- {step}: done"
    detail = " ".join(attempt.detail.split())[:MAX_DETAIL]
    return f"- {step}: {attempt.failure}" + (f", {detail}" if detail else "")


def skill_lines(catalogue: Mapping[str, SkillSpec]) -> str:
    """The catalogue as a model reads it, one line for each skill."""
    return "\n".join(_skill_line(skill) for skill in catalogue.values()) or "- none"


def _skill_line(skill: SkillSpec) -> str:
    words = "; ".join(
        f"{text.name}: {text.meaning}" + (", with a point on it" if point else "") for text, point in slots(skill)
    )
    before = f"; only when {skill.precondition}" if skill.precondition != "none" else ""
    return f"- {skill.name}{f' ({words})' if words else ''}: {skill.meaning}{before}"


def _system(kind: str, canvas: Canvas, **words: str) -> str:
    """The prompt of that kind; its example points at the middle."""
    x, y = (most // 2 for most in canvas.largest)
    return _template(kind).substitute(frame=canvas.words, x=x, y=y, **words)


@cache
def _template(kind: str) -> Template:
    text = (resources.files("tandem.agent.planner") / "prompts" / f"{kind}.md").read_text(encoding="utf-8")
    return Template(text.strip())
