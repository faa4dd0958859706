"""The planner over any model: it looks (perceive), then plans, or plans again in the light of what was tried.

It knows the order of the questions and nothing of what answers them. A stage asks for all episodes at once. Whatever
goes wrong in one of them is its `PlannerFailed`, with the exchanges made so far.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tandem.agent.hand import last_taken, may_hold
from tandem.agent.planner import prompting
from tandem.agent.planner.canvas import Canvas
from tandem.agent.planner.model import Answer, Model, Picture, Question
from tandem.agent.planner.scene import Scene
from tandem.agent.planner.sight import picture_of
from tandem.agent.planner.steps import read_plan
from tandem.bridge.contract import CameraPoint, ModelUnusable, Plan, PlannerFailed, PlanRequest


@dataclass
class _Turn:
    """What is known so far of one request's answer."""

    request: PlanRequest
    camera: str = ""
    picture: Picture | None = None
    scene: Scene | None = None
    calls: list[Mapping[str, Any]] = field(default_factory=list)
    result: Plan | PlannerFailed | None = None

    def fail(self, reason: PlannerFailed) -> None:
        self.result = PlannerFailed(str(reason), (*self.calls, *reason.calls))
        self.result.__cause__ = reason

    def canvas(self, model: Model) -> Canvas:
        height, width = self.picture.pixels.shape[:2]
        resized = model.resized(width, height) if model.family.sees else (width, height)
        return Canvas(model.family, self.camera, (width, height), resized)


class ModelPlanner:
    """Plans with a model; satisfies `Planner`.

    Args:
        model: answers the questions.
        perceiver: looks in its place; needed when the model takes no pictures.
        cameras: to look through, best first; the first that a request offers is used. Empty takes the request's order.
        show_picture: the planning question has the picture, too, beside the scene.
        look_first: list what is there before planning; without it the model plans from the picture alone, and its
            grammar knows no names.

    Raises:
        ModelUnusable: nobody would look.
    """

    privileged = False
    looks = True

    def __init__(
        self, model: Model, *, perceiver: Model | None = None, cameras: Sequence[str] = (), show_picture: bool = True,
        look_first: bool = True,
    ):
        self._model, self._eyes, self._cameras = model, perceiver or model, tuple(cameras)
        self._look_first, self._show = look_first, model.family.sees and (show_picture or not look_first)
        if not self._eyes.family.sees:
            raise ModelUnusable(
                f"{self._eyes.family.name} takes no pictures; name a model that does as its perceiver (--perceiver)"
            )
        if not look_first and not model.family.sees:
            raise ModelUnusable(f"{model.family.name} takes no pictures, so it cannot plan without a list of things")

    def describe(self) -> dict[str, Any]:
        """For the log: which models, and how they are asked. Plain types only."""
        eyes = {} if self._eyes is self._model else {"perceiver": self._eyes.describe()}
        return {"model": self._model.describe(), **eyes, "show_picture": self._show, "look_first": self._look_first}

    def plan(self, request: PlanRequest) -> Plan:
        """The plan; raises `PlannerFailed` with the exchanges made so far."""
        [result] = self.plan_many([request])
        if isinstance(result, PlannerFailed):
            raise result
        return result

    def plan_many(self, requests: Sequence[PlanRequest]) -> list[Plan | PlannerFailed]:
        """A plan, or why there is none, for each request in order; one model call for each stage."""
        turns = [_Turn(request) for request in requests]
        for turn in turns:
            _attempt(turn, self._look)
        if self._look_first:
            _stage(self._eyes, turns, self._ask_perceive, self._read_scene)
        _stage(self._model, turns, self._ask_plan, self._read_plan)
        return [turn.result for turn in turns]

    def _look(self, turn: _Turn) -> None:
        offered = turn.request.cameras
        known = [camera for camera in self._cameras or offered if camera in offered]
        if not known:
            wanted, there = ", ".join(self._cameras) or "any", ", ".join(offered) or "none"
            raise PlannerFailed(f"no camera to look through: wanted {wanted}, there is {there}")
        turn.camera = known[0]
        turn.picture = picture_of(turn.request.observation, turn.camera)

    def _ask_perceive(self, turn: _Turn) -> Question:
        return prompting.perceive(turn.picture, turn.canvas(self._eyes))

    def _read_scene(self, turn: _Turn, value: Mapping[str, Any]) -> None:
        turn.scene = _felt(Scene.read(value, turn.canvas(self._eyes)), turn.request)

    def _ask_plan(self, turn: _Turn) -> Question:
        request, picture = turn.request, turn.picture if self._show else None
        return prompting.plan(
            request.instruction, turn.scene, turn.canvas(self._model), picture=picture, catalogue=request.catalogue,
            history=request.history,
        )

    def _read_plan(self, turn: _Turn, value: Mapping[str, Any]) -> None:
        subgoals, reason = read_plan(value, turn.canvas(self._model), turn.request.catalogue, turn.scene)
        turn.result = Plan(subgoals, feasible=not reason, reason=reason, calls=tuple(turn.calls))


def _felt(scene: Scene, request: PlanRequest) -> Scene:
    """The scene, with what is in the hand as the gripper feels it: eyes need not see that."""
    holds = may_hold(request.observation)
    if holds is None or (holds and (taken := last_taken(request.history)) is None):
        return scene
    if not holds:
        return scene.holding(None)
    attempt, name = taken
    point = attempt.subgoal.arguments.get("point")
    return scene.holding(name, point if isinstance(point, CameraPoint) else None)


def _attempt(turn: _Turn, step: Callable[..., Any], *given: Any) -> Any:
    try:
        return step(turn, *given)
    except PlannerFailed as reason:
        turn.fail(reason)


def _stage(
    model: Model, turns: Sequence[_Turn], ask: Callable[[_Turn], Question],
    read: Callable[[_Turn, Mapping[str, Any]], None],
) -> None:
    """Ask one question for every turn that has not failed, all at once, and read the answers."""
    asked = [(turn, question) for turn in turns if turn.result is None and (question := _attempt(turn, ask))]
    for (turn, _), answer in zip(asked, _answers(model, [question for _, question in asked]), strict=True):
        if isinstance(answer, PlannerFailed):
            turn.fail(answer)
        else:
            turn.calls.append(answer.call)
            _attempt(turn, read, answer.value)


def _answers(model: Model, questions: Sequence[Question]) -> list[Answer | PlannerFailed]:
    """An answer or a failure for each. When a batch fails they are asked one by one, to see whose failure it is."""
    if not questions:
        return []
    try:
        return list(model.answer(questions))
    except PlannerFailed as reason:
        if len(questions) == 1:
            return [reason]
    return [_answers(model, [question])[0] for question in questions]
