"""The whole way from pixels to a sorted table, with a model that is always right: what is left to fail is our own."""

import pytest
from composition import Rig, System

from tandem.agent.planner.babbler import BABBLE, Babbler
from tandem.agent.planner.canvas import Canvas
from tandem.agent.planner.model import Answer
from tandem.agent.planner.planner import ModelPlanner
from tandem.agent.planner.scene import Scene, Thing
from tandem.agent.planner.steps import write_plan, write_refusal
from tandem.bridge.contract import CameraPoint
from tandem.sim.annotate import annotate

CANVAS = Canvas(BABBLE, "front", (640, 480), (640, 480))


class Knows(Babbler):
    """Answers from ground truth, in the words and the frame of a model."""

    def __init__(self, truth):
        super().__init__()
        self.truth, self.kinds = truth, []

    def answer(self, questions):
        shown = annotate(self.truth, "front")
        scene = Scene(tuple(Thing(each.name, CameraPoint("front", each.u, each.v), each.where) for each in shown))
        self.kinds += [question.kind for question in questions]
        return [Answer(self._value(question.kind, scene), {"kind": question.kind}) for question in questions]

    def _value(self, kind, scene):
        if kind == "perceive":
            return scene.value(CANVAS)
        if reason := self.truth.infeasible():
            return write_refusal(reason)
        return write_plan(self.truth.remaining(), CANVAS, scene)


def _run(task, seed, **ask):
    rig = Rig(System(task=task, planner="scripted"))
    model = Knows(rig.truth)
    rig._planner = ModelPlanner(model)
    try:
        return rig.run(seed, **ask), model
    finally:
        rig.close()


def test_what_is_seen_and_written_in_thousandths_is_enough_to_act_on():
    result, model = _run("pick_place", 20_000)
    assert result.success
    assert result.claimed
    assert not result.privileged
    assert model.kinds == ["perceive", "plan", "perceive", "replan"]  # and a last look at whether anything is left


@pytest.mark.slow
@pytest.mark.parametrize("task", ["sort", "stack", "kit", "insert", "drawer", "machine", "conveyor"])
def test_every_task_can_be_planned_from_pixels(task):
    result, _ = _run(task, 20_000)
    assert result.success
    assert not result.privileged


def test_what_cannot_be_done_is_told_and_not_tried():
    result, _ = _run("pick_place", 20_001, feasible=False)
    assert result.success
    assert result.infeasible
    assert not result.attempts
