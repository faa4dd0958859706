"""The planner over a model: stages, cameras, bad pictures, and failures that keep what was said."""

import numpy as np
import pytest

from tandem.agent.planner.babbler import Babbler
from tandem.agent.planner.family import Family, Frame
from tandem.agent.planner.model import Answer
from tandem.agent.planner.planner import ModelPlanner
from tandem.bridge.conformance import check_planner
from tandem.bridge.contract import (
    SKILLS,
    Attempt,
    CameraPoint,
    FailureCode,
    InvalidOption,
    ModelUnusable,
    Plan,
    PlannerFailed,
    PlanRequest,
    Subgoal,
)

READER = Family("Reader", "b", ("b",), sees=False)
PIXELS = Family("Pixels", "c", ("c",), frame=Frame.RESIZED_PIXELS, resize=lambda width, height: (308, 224))
IMAGE = np.random.default_rng(0).integers(0, 255, (480, 640, 3), dtype=np.uint8)
REQUEST = PlanRequest("put the red cube in the blue bin", {"image.front": IMAGE}, cameras=("front", "wrist"))
THINGS = {"things": [
    {"name": "red cube", "point": [100, 200], "where": "on the table"},
    {"name": "blue bin", "point": [500, 400], "where": "on the table"},
]}
PICK = {"feasible": True, "steps": [{"skill": "pick", "object": {"name": "red cube", "point": [100, 200]}}]}


class Says(Babbler):
    """Gives the next of its answers, or raises it."""

    def __init__(self, *answers, family=None):
        super().__init__(family) if family else super().__init__()
        self.answers, self.asked = list(answers), []

    def answer(self, questions):
        self.asked.append(list(questions))
        said = [self.answers.pop(0) for _ in questions]
        for one in said:
            if isinstance(one, Exception):
                raise one
        return [Answer(value, {"kind": q.kind}) for q, value in zip(questions, said, strict=True)]


@pytest.mark.parametrize("settings", [{}, {"show_picture": False}, {"look_first": False}], ids=str)
@pytest.mark.parametrize("family", [None, PIXELS], ids=["thousandths", "pixels"])
def test_it_satisfies_the_contract_whatever_the_model_says(settings, family):
    for seed in range(20):
        model = Babbler(family, seed) if family else Babbler(seed=seed)
        check_planner(lambda model=model: ModelPlanner(model, **settings), REQUEST)


def test_a_text_only_model_plans_from_what_another_saw():
    eyes, mind = Says(THINGS, family=PIXELS), Says(PICK, family=READER)
    eyes.answers = [{"things": [{"name": "red cube", "point": [31, 45], "where": "on the table"}]}]
    mind.answers = [{"feasible": True, "steps": [
        {"skill": "pick", "object": {"name": "red cube", "point": [101, 201]}}]}]
    plan = ModelPlanner(mind, perceiver=eyes).plan(REQUEST)
    assert "- red cube at [101, 201], on the table" in mind.asked[0][0].parts[0]
    assert plan.subgoals[0].arguments["point"] == CameraPoint("front", 31 / 308 * 640, 45 / 224 * 480)
    with pytest.raises(ModelUnusable, match="perceiver"):
        ModelPlanner(mind)
    with pytest.raises(ModelUnusable):
        ModelPlanner(mind, perceiver=Babbler(READER))


def test_every_exchange_is_kept_in_order_and_the_plan_is_not_privileged():
    plan = ModelPlanner(Says(THINGS, PICK)).plan(REQUEST)
    assert [call["kind"] for call in plan.calls] == ["perceive", "plan"]
    assert not plan.privileged
    assert str(plan.subgoals[0]) == "pick(red cube)"


def test_a_failure_keeps_what_was_said_before_it():
    broken = PlannerFailed("half an answer", ({"kind": "plan", "reply": "{"},))
    with pytest.raises(PlannerFailed, match="half an answer") as failure:
        ModelPlanner(Says(THINGS, broken)).plan(REQUEST)
    assert [call["kind"] for call in failure.value.calls] == ["perceive", "plan"]
    with pytest.raises(PlannerFailed, match="gold bar") as failure:
        stolen = {"feasible": True, "steps": [{"skill": "pick", "object": {"name": "gold bar", "point": [1, 1]}}]}
        ModelPlanner(Says(THINGS, stolen)).plan(REQUEST)
    assert len(failure.value.calls) == 2


def test_episodes_are_planned_side_by_side_and_one_that_fails_harms_no_other():
    model = Says(THINGS, THINGS, {**PICK}, {"feasible": False, "reason": "no such thing"})
    black = PlanRequest("tidy up", {"image.front": np.zeros_like(IMAGE)}, cameras=("front",))
    first, middle, last = ModelPlanner(model).plan_many([REQUEST, black, REQUEST])
    assert [[q.kind for q in batch] for batch in model.asked] == [["perceive"] * 2, ["plan"] * 2]
    assert isinstance(middle, PlannerFailed)
    assert (len(first.subgoals), last.feasible, last.reason) == (1, False, "no such thing")


def test_whose_failure_it_is_in_a_batch_is_found_out():
    model = Says(THINGS, PlannerFailed("cut off"), THINGS, PlannerFailed("cut off"), PICK)
    first, second = ModelPlanner(model).plan_many([REQUEST, REQUEST])
    assert isinstance(first, Plan)
    assert isinstance(second, PlannerFailed)
    assert [len(batch) for batch in model.asked] == [2, 1, 1, 1]


@pytest.mark.parametrize("observation", [
    {}, {"image.front": np.zeros((480, 640, 3), np.uint8)}, {"image.front": np.full((480, 640, 3), 90, np.uint8)},
    {"image.front": np.zeros((0, 0, 3), np.uint8)}, {"image.front": IMAGE[..., 0]}, {"image.front": IMAGE / 255.0},
], ids=["missing", "black", "one colour", "empty", "grey", "floats"])
def test_a_picture_that_shows_nothing_is_a_typed_failure_and_no_question(observation):
    model = Says()
    with pytest.raises(PlannerFailed, match="front"):
        ModelPlanner(model).plan(PlanRequest("tidy up", observation, cameras=("front",)))
    assert not model.asked


def test_the_camera_is_the_first_wish_that_is_offered():
    request = PlanRequest("tidy up", {"image.wrist": IMAGE}, cameras=("front", "wrist"))
    plan = ModelPlanner(Says(THINGS, PICK), cameras=("roof", "wrist")).plan(request)
    assert plan.subgoals[0].arguments["point"].camera == "wrist"
    with pytest.raises(PlannerFailed, match="roof"):
        ModelPlanner(Says(), cameras=("roof",)).plan(request)
    with pytest.raises(PlannerFailed, match="there is none"):
        ModelPlanner(Says()).plan(PlanRequest("tidy up", {}))


def test_a_skill_that_is_not_offered_cannot_be_planned():
    offered = {"home": SKILLS["home"]}
    with pytest.raises(PlannerFailed, match="pick"):
        ModelPlanner(Says(THINGS, PICK)).plan(PlanRequest("go", {"image.front": IMAGE}, offered, cameras=("front",)))


def test_the_picture_is_shown_again_or_not():
    seen, unseen = Says(THINGS, PICK), Says(THINGS, PICK)
    ModelPlanner(seen).plan(REQUEST)
    ModelPlanner(unseen, show_picture=False).plan(REQUEST)
    assert [len(model.asked[1][0].parts) for model in (seen, unseen)] == [2, 1]


CROWDED = {"things": [
    {"name": "red cube", "point": [500, 500], "where": "on the table"},
    {"name": "blue bin", "point": [530, 500], "where": "on the table"},
]}


def test_where_things_stand_close_together_it_looks_again_and_most_glances_count():
    """The pictures are moved by half a square of 40 pixels, so the same point is [31, 42] thousandths further."""
    wrong = {"things": [{**CROWDED["things"][0], "point": [545, 540]}, CROWDED["things"][1]]}
    across, down, both = ({"things": [{**thing, "point": [thing["point"][0] + x, thing["point"][1] + y]}
                                      for thing in CROWDED["things"]]} for x, y in ((31, 0), (0, 42), (31, 42)))
    model = Says(wrong, across, down, both, {"feasible": True, "steps": []})
    plan = ModelPlanner(model, show_picture=False, glance_again=40).plan(REQUEST)
    assert [[q.kind for q in asked] for asked in model.asked] == [["perceive"], ["perceive"] * 3, ["plan"]]
    assert len(plan.calls) == 5
    scene = model.asked[2][0].parts[0]
    assert "- red cube at [500, 500], on the table\n- blue bin at [530, 500], on the table" in scene
    shown = [question.parts[0].pixels for asked in model.asked[:2] for question in asked]
    assert all((picture[20:, 20:] == IMAGE[20 - y : 480 - y, 20 - x : 640 - x]).all()
               for picture, (x, y) in zip(shown, ((0, 0), (20, 0), (0, 20), (20, 20)), strict=True))


def test_points_are_told_in_the_steps_that_the_model_was_taught():
    """What the gripper feels lies where the hand was, and numbers of that kind the model hardly knows."""
    things = {"things": [{"name": "red cube", "point": [103, 999], "where": "on the table"}]}
    model = Says(things, {"feasible": True, "steps": []})
    point = CameraPoint("front", 207.3, 101.0)
    history = (Attempt(Subgoal("pick", {"object": "gear", "point": point}), True, None, None, None, "", 0.0, 1.0),)
    observation = {"image.front": IMAGE, "gripper_opening": np.array([0.4])}
    request = PlanRequest("tidy up", observation, history=history, cameras=("front",))
    ModelPlanner(model, show_picture=False, point_step=5).plan(request)
    scene = model.asked[1][0].parts[0]
    assert "- red cube at [105, 995], on the table\n- gear at [325, 210], in the gripper" in scene


@pytest.mark.parametrize("settings", [{"glance_again": -1}, {"point_step": 0}], ids=str)
def test_settings_without_a_meaning_are_refused(settings):
    with pytest.raises(InvalidOption, match="got"):
        ModelPlanner(Says(), **settings)


@pytest.mark.parametrize("settings", [{"glance_again": 0}, {"glance_again": 15}], ids=str)
def test_one_glance_is_enough_where_nothing_is_close_or_no_square_is_known(settings):
    model = Says(CROWDED, {"feasible": True, "steps": []})
    assert len(ModelPlanner(model, show_picture=False, **settings).plan(REQUEST).calls) == 2


def test_a_further_glance_that_fails_fails_the_plan_and_keeps_what_was_said():
    model = Says(CROWDED, *[PlannerFailed("no answer")] * 6)
    with pytest.raises(PlannerFailed, match="no answer") as failed:
        ModelPlanner(model, glance_again=40).plan(REQUEST)
    assert [call["kind"] for call in failed.value.calls] == ["perceive"]


def _try(skill, failure=None, claimed=True, **arguments):
    return Attempt(Subgoal(skill, arguments), claimed, None, None, failure, "", 0.0, 1.0)


AT = CameraPoint("front", 320.0, 240.0)
TAKEN = _try("pick", object="green gear", point=AT)
LOST_SIGHT = _try("place", FailureCode.OBJECT_NOT_FOUND, claimed=False, object="green gear", target="blue bin")
REFUSED = _try("pick", FailureCode.PRECONDITION_FAILED, claimed=False, object="red cube")


def _scene_told(opening, history, things=THINGS):
    model = Says(things, {"feasible": True, "steps": []})
    observation = {"image.front": IMAGE, "gripper_opening": np.array([opening])}
    ModelPlanner(model, show_picture=False).plan(
        PlanRequest("tidy up", observation, history=history, cameras=("front",)))
    lines = model.asked[1][0].parts[0].split("Scene:\n")[1].splitlines()
    return [line for line in lines if line.startswith("- ") and " at [" in line]


def test_what_the_gripper_feels_is_told_though_no_eye_sees_it():
    """The policy lost sight of the target while the gear was in the hand, and nothing lists the gear."""
    for history in ((TAKEN, LOST_SIGHT), (TAKEN, LOST_SIGHT, REFUSED)):
        assert "- green gear at [500, 500], in the gripper" in _scene_told(0.4, history)


def test_what_is_seen_elsewhere_or_misnamed_in_the_hand_is_put_right():
    things = {"things": [
        {"name": "green gear", "point": [300, 300], "where": "on the table"},
        {"name": "hex nut", "point": [310, 200], "where": "in the gripper"},
    ]}
    assert _scene_told(0.4, (TAKEN,), things) == ["- green gear at [300, 300], in the gripper"]


@pytest.mark.parametrize("opening", [0.0, 1.0])
def test_an_empty_hand_holds_nothing_whatever_was_seen(opening):
    things = {"things": [{"name": "green gear", "point": [300, 300], "where": "in the gripper"}]}
    assert _scene_told(opening, (TAKEN,), things) == ["- green gear at [300, 300], on the table"]


def test_what_was_put_down_is_not_held_and_what_was_never_taken_is_not_made_up():
    put = _try("place", object="green gear", target="blue bin")
    seen = ["- red cube at [100, 200], on the table", "- blue bin at [500, 400], on the table"]
    for history in ((), (TAKEN, put), (REFUSED,)):
        assert _scene_told(0.4, history) == seen
