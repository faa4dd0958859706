"""The planner over any model: it looks (perceive), then plans, or plans again in the light of what was tried.

It knows the order of the questions and nothing of what answers them. A stage asks for all episodes at once. Whatever
goes wrong in one of them is its `PlannerFailed`, with the exchanges made so far.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tandem.agent.hand import last_taken, may_hold
from tandem.agent.planner import glances, prompting
from tandem.agent.planner.canvas import Canvas
from tandem.agent.planner.model import Answer, Model, Picture, Question
from tandem.agent.planner.scene import Scene
from tandem.agent.planner.sight import picture_of
from tandem.agent.planner.steps import read_plan
from tandem.bridge.contract import CameraPoint, InvalidOption, ModelUnusable, Plan, PlannerFailed, PlanRequest


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
        glance_again: side in pixels, as the perceiver resizes pictures, of the squares that it makes tokens of. Where
            two things lie within one, more glances are taken, and what most agree on counts (`glances`); 0 for never.
        point_step: what the model was taught to write coordinates in multiples of. Numbers between them are words that
            it hardly knows, so the points of a scene are told in these.

    Raises:
        ModelUnusable: nobody would look.
        InvalidOption: `glance_again` is negative, or `point_step` less than 1.
    """

    privileged = False
    looks = True

    def __init__(
        self, model: Model, *, perceiver: Model | None = None, cameras: Sequence[str] = (), show_picture: bool = True,
        look_first: bool = True, glance_again: int = 0, point_step: int = 1,
    ):
        self._model, self._eyes, self._cameras = model, perceiver or model, tuple(cameras)
        if glance_again < 0 or point_step < 1:
            raise InvalidOption(
                f"glance_again must be 0 or more and point_step at least 1, got {glance_again} and {point_step}"
            )
        self._again, self._step = glance_again, point_step
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
        return {
            "model": self._model.describe(), **eyes, "show_picture": self._show, "look_first": self._look_first,
            "glance_again": self._again, "point_step": self._step,
        }

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
            _stage(self._eyes, [(turn,) for turn in turns], self._ask_perceive, self._read_scene)
            self._glance_again(turns)
            self._settle(turns)
        _stage(self._model, [(turn,) for turn in turns], self._ask_plan, self._read_plan)
        return [turn.result for turn in turns]

    def _look(self, turn: _Turn) -> None:
        offered = turn.request.cameras
        known = [camera for camera in self._cameras or offered if camera in offered]
        if not known:
            wanted, there = ", ".join(self._cameras) or "any", ", ".join(offered) or "none"
            raise PlannerFailed(f"no camera to look through: wanted {wanted}, there is {there}")
        turn.camera = known[0]
        turn.picture = picture_of(turn.request.observation, turn.camera)

    def _ask_perceive(self, turn: _Turn, by: tuple[int, int] = (0, 0)) -> Question:
        return prompting.perceive(glances.moved(turn.picture, *by), turn.canvas(self._eyes))

    def _read_scene(self, turn: _Turn, value: Mapping[str, Any]) -> None:
        turn.scene = Scene.read(value, turn.canvas(self._eyes))

    def _glance_again(self, turns: Sequence[_Turn]) -> None:
        """Where things stand close together, more glances, of all turns at once; what most of them tell counts."""
        close = [turn for turn in turns if turn.result is None and glances.crowded(turn.scene, self._square(turn))]
        told = {id(turn): [turn.scene] for turn in close}
        more = [(turn, by) for turn in close for by in glances.shifts(self._square(turn))]

        def read(turn: _Turn, value: Mapping[str, Any], by: tuple[int, int]) -> None:
            canvas = turn.canvas(self._eyes)
            told[id(turn)].append(glances.moved_back(Scene.read(value, canvas), *by, canvas.size))

        _stage(self._eyes, more, self._ask_perceive, read)
        for turn in close:
            turn.scene = glances.agreed(told[id(turn)], self._square(turn))

    def _settle(self, turns: Sequence[_Turn]) -> None:
        """What was seen, put right by what is felt, in numbers that the model knows."""
        for turn in (turn for turn in turns if turn.result is None):
            turn.scene = _felt(turn.scene, turn.request).in_steps(self._step, turn.canvas(self._model))

    def _square(self, turn: _Turn) -> float:
        """Side in pixels of the camera's picture of what the perceiver makes a token of; 0 if none is known."""
        canvas = turn.canvas(self._eyes)
        return self._again * canvas.size[0] / canvas.resized[0]

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
    model: Model, asked: Sequence[tuple[Any, ...]], ask: Callable[..., Question], read: Callable[..., None]
) -> None:
    """Ask a question for every turn that has not failed, all at once, and read the answers.

    Args:
        model: answers.
        asked: turns, each with what else `ask` and `read` are given.
        ask: makes the question of a turn.
        read: takes a turn and its answer.
    """
    going = (one for one in asked if one[0].result is None)
    known = [(one, question) for one in going if (question := _attempt(one[0], ask, *one[1:]))]
    for ((turn, *given), _), answer in zip(known, _answers(model, [question for _, question in known]), strict=True):
        if isinstance(answer, PlannerFailed):
            turn.fail(answer)
        else:
            turn.calls.append(answer.call)
            _attempt(turn, read, answer.value, *given)


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
