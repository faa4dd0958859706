"""Subgoals as the JSON of an answer, and back. Training writes scripted plans with it, deployment reads answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tandem.agent.planner.canvas import Canvas
from tandem.agent.planner.scene import Scene, constant
from tandem.agent.planner.schema import MAX_STEPS, slots
from tandem.bridge.contract import (
    Argument,
    CameraPoint,
    InvalidPlan,
    PlannerFailed,
    SkillSpec,
    Subgoal,
    UnknownName,
    skill_named,
)


def write_plan(subgoals: Iterable[Subgoal], canvas: Canvas, scene: Scene | None = None) -> dict[str, Any]:
    """The answer that stands for these subgoals; raises `InvalidPlan` for one that cannot be written."""
    return {"feasible": True, "steps": [write_step(subgoal, canvas, scene) for subgoal in subgoals]}


def write_refusal(reason: str) -> dict[str, Any]:
    """The answer that says why there is no plan."""
    return {"feasible": False, "reason": reason}


def write_step(subgoal: Subgoal, canvas: Canvas, scene: Scene | None = None) -> dict[str, Any]:
    """One step. With a scene, its things are named with the scene's points; a thing that is not in it is refused."""
    step: dict[str, Any] = {"skill": subgoal.skill}
    for text, point in slots(skill_named(subgoal.skill)):
        name = subgoal.arguments.get(text.name)
        if name is None:
            raise InvalidPlan(f"{subgoal} does not say its {text.name}, which an answer always does")
        at = subgoal.arguments.get(point.name) if point else None
        step[text.name] = _write_thing(str(name), at, canvas, scene) if point else str(name)
    return step


def _write_thing(name: str, at: Argument | None, canvas: Canvas, scene: Scene | None) -> dict[str, Any]:
    if scene is not None:
        thing = scene.named(name, at if isinstance(at, CameraPoint) else None)
        if thing is None:
            raise InvalidPlan(f"{name!r} is not in the scene, which has: {', '.join(scene.names) or 'nothing'}")
        return constant(thing, canvas)
    if not isinstance(at, CameraPoint):
        raise InvalidPlan(f"{name!r} has no camera point and there is no scene to take it from")
    return {"name": name, "point": canvas.write(at)}


def read_plan(
    answer: Mapping[str, Any], canvas: Canvas, catalogue: Mapping[str, SkillSpec], scene: Scene | None = None
) -> tuple[tuple[Subgoal, ...], str]:
    """Subgoals, and the reason why there are none (empty when feasible).

    Raises:
        PlannerFailed: the answer is no plan, or names what is not offered; nothing of it is used.
    """
    try:
        if answer["feasible"] is True and len(answer["steps"]) <= MAX_STEPS:
            return tuple(read_step(step, canvas, catalogue, scene) for step in answer["steps"]), ""
        if answer["feasible"] is False and isinstance(answer["reason"], str) and answer["reason"].strip():
            return (), answer["reason"].strip()
    except (KeyError, TypeError, AttributeError, InvalidPlan, UnknownName) as reason:
        raise PlannerFailed(f"the answer is no plan: {reason!r} in {str(answer)[:200]}") from reason
    raise PlannerFailed(f"the answer is no plan: {str(answer)[:200]}")


def read_step(
    step: Mapping[str, Any], canvas: Canvas, catalogue: Mapping[str, SkillSpec], scene: Scene | None = None
) -> Subgoal:
    """One subgoal, with the words of the catalogue; see `read_plan`."""
    skill = skill_named(step["skill"], catalogue)
    arguments: dict[str, Argument] = {}
    for text, point in slots(skill):
        said = step[text.name]
        if point is None:
            arguments[text.name] = _known(said, scene)
        else:
            arguments[text.name] = _known(said["name"], scene)
            arguments[point.name] = _point(said, canvas, scene)
    extra = sorted(set(step) - {"skill"} - {text.name for text, _ in slots(skill)})
    if extra:
        raise InvalidPlan(f"{skill.name} takes no argument {extra[0]!r}")
    return Subgoal(skill.name, arguments, *skill.words(arguments))


def _known(name: Any, scene: Scene | None) -> str:
    if not isinstance(name, str) or not name.strip():
        raise InvalidPlan(f"{str(name)[:80]!r} is no name")
    if scene is not None and name not in scene.names:
        raise UnknownName("thing", name[:80], scene.names)
    return name


def _point(said: Mapping[str, Any], canvas: Canvas, scene: Scene | None) -> CameraPoint:
    """The scene's own point, which may be finer than what the answer can say."""
    point = canvas.read(said["point"])
    thing = scene.at(said["name"], list(said["point"]), canvas) if scene is not None else None
    if scene is not None and thing is None:
        raise InvalidPlan(f"no {said['name']} was seen at {said['point']}")
    return thing.point if thing is not None else point
