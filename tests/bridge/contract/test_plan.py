"""A plan is data, checked against the catalogue when it is made."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.bridge.contract import (
    SKILLS,
    ArgumentKind,
    Attempt,
    CameraPoint,
    InvalidPlan,
    Outcome,
    Plan,
    Subgoal,
    UnknownName,
    Verdict,
    skill_named,
)

PIXELS = st.floats(0, 4096, allow_nan=False)
WORDS = st.text(min_size=1, max_size=20)
POINTS = st.builds(CameraPoint, st.sampled_from(["front", "wrist"]), PIXELS, PIXELS)
OF_KIND = {ArgumentKind.TEXT: WORDS, ArgumentKind.POINT: POINTS}


@st.composite
def subgoals(draw):
    skill = draw(st.sampled_from(list(SKILLS.values())))
    given_ones = [a for a in skill.arguments if a.required or draw(st.booleans())]
    arguments = {argument.name: draw(OF_KIND[argument.kind]) for argument in given_ones}
    timeout_s = draw(st.none() | st.floats(0.1, 1000.0))
    return Subgoal(skill.name, arguments, draw(st.text(max_size=20)), draw(st.text(max_size=20)), timeout_s)


@given(subgoals())
def test_any_subgoal_survives_the_wire(subgoal):
    again = Subgoal.from_dict(json.loads(json.dumps(subgoal.to_dict())))
    assert again.to_dict() == subgoal.to_dict()
    assert dict(again.arguments) == dict(subgoal.arguments)


@pytest.mark.parametrize("skill", SKILLS.values(), ids=SKILLS)
def test_a_subgoal_takes_the_time_budget_of_its_skill(skill):
    words = dict.fromkeys(skill.required, "thing")
    assert Subgoal(skill.name, words).timeout_s == skill.timeout_s
    for name in skill.required:
        with pytest.raises(InvalidPlan, match=name):
            Subgoal(skill.name, {key: value for key, value in words.items() if key != name})


@pytest.mark.parametrize(("skill", "arguments", "error", "words"), [
    ("pikc", {"object": "cube"}, UnknownName, "Did you mean 'pick'"),
    ("dance", {}, UnknownName, "Known: pick, place"),
    ("pick", {"object": "cube", "speed": "fast"}, InvalidPlan, "takes no argument 'speed'; it takes: object, point"),
    ("home", {"object": "cube"}, InvalidPlan, "none"),
    ("pick", {"object": ""}, InvalidPlan, "object"),
    ("pick", {"object": 3}, InvalidPlan, "must be a str"),
    ("pick", {"object": "cube", "point": (3, 4)}, InvalidPlan, "must be a CameraPoint"),
    ("place", {"target": CameraPoint("front", 1, 1)}, InvalidPlan, "must be a str"),
], ids=str)
def test_a_subgoal_that_means_nothing_is_refused(skill, arguments, error, words):
    with pytest.raises(error, match=words):
        Subgoal(skill, arguments)


@pytest.mark.parametrize("timeout_s", [0.0, -1.0, float("nan"), float("inf")])
def test_time_budgets_are_positive(timeout_s):
    with pytest.raises(InvalidPlan, match="timeout_s"):
        Subgoal("home", timeout_s=timeout_s)


@pytest.mark.parametrize("fields", [
    {}, {"skill": "home"}, {"skill": "home", "arguments": None}, {"skill": "home", "arguments": [1]},
    {"skill": "pick", "arguments": {"object": "cube", "point": {"camera": "front"}}},
    {"skill": "pick", "arguments": {"object": "cube", "point": {"camera": "front", "u": "left", "v": 0}}},
], ids=str)
def test_damaged_fields_are_refused(fields):
    with pytest.raises(InvalidPlan):
        Subgoal.from_dict(fields)


@pytest.mark.parametrize("point", [(-1, 0), (0, -0.5), (float("nan"), 0), (0, float("inf"))])
def test_a_point_lies_in_the_positive_quadrant(point):
    with pytest.raises(InvalidPlan, match="camera point"):
        CameraPoint("front", *point)


def test_arguments_cannot_be_changed_later():
    words = {"object": "red cube"}
    pick = Subgoal("pick", words)
    words["object"] = "blue cube"
    assert pick.arguments["object"] == "red cube"
    with pytest.raises(TypeError):
        pick.arguments["object"] = "blue cube"
    assert str(pick) == "pick(red cube)"


def test_an_infeasible_plan_has_a_reason_and_nothing_to_do():
    assert not Plan((), feasible=False, reason="there is no red cube").feasible
    for subgoals_given, reason in (((), ""), ((Subgoal("home"),), "no red cube")):
        with pytest.raises(InvalidPlan, match="infeasible"):
            Plan(subgoals_given, feasible=False, reason=reason)


def test_a_verdict_names_its_evidence():
    assert Verdict("success", "0.52 opening").outcome is Outcome.SUCCESS
    with pytest.raises(InvalidPlan, match="evidence"):
        Verdict(Outcome.SUCCESS, "")
    with pytest.raises(ValueError, match="maybe"):
        Verdict("maybe", "who knows")


def test_plans_and_attempts_are_plain_data():
    pick = Subgoal("pick", {"object": "red cube", "point": CameraPoint("front", 1, 2)})
    attempt = Attempt(pick, True, Verdict("failure", "closed on nothing"), None, "GRASP_FAILED", "missed", 0.0, 1.0)
    assert json.loads(json.dumps(attempt.to_dict()))["seen"] == {"outcome": "failure", "evidence": "closed on nothing"}
    assert json.loads(json.dumps(Plan([pick]).to_dict()))["subgoals"][0]["arguments"]["point"]["u"] == 1.0


def test_what_a_log_holds_comes_back():
    pick = Subgoal("pick", {"object": "red cube", "point": CameraPoint("front", 1, 2)}, timeout_s=3.0)
    calls = ({"kind": "plan", "reply": "{}"},)
    for plan in (Plan([pick], calls=calls, privileged=True), Plan((), feasible=False, reason="there is no red cube")):
        record = json.loads(json.dumps({**plan.to_dict(), "latency_s": 0.1}))
        assert Plan.from_dict(record) == plan
    for seen in (None, Verdict("inconclusive", "it is hidden")):
        attempt = Attempt(pick, False, seen, None, "TIMEOUT", "too slow", 0.0, 1.0)
        assert Attempt.from_dict(json.loads(json.dumps({**attempt.to_dict(), "index": 0}))) == attempt


@pytest.mark.parametrize("what", [Plan, Attempt, Verdict, Subgoal])
def test_what_is_no_record_is_refused(what):
    for fields in ({}, {"outcome": "maybe", "evidence": "who knows"}, {"subgoals": 3, "subgoal": 3}):
        with pytest.raises(InvalidPlan, match=r"no (plan|attempt|verdict|subgoal):"):
            what.from_dict(fields)


def test_a_verdict_is_what_it_says_whatever_was_asked_for_it():
    asked = Verdict("success", "it is in the bin", calls=({"reply": "yes"},))
    assert asked == Verdict("success", "it is in the bin")
    assert asked.to_dict() == {"outcome": "success", "evidence": "it is in the bin"}


def test_a_skill_is_found_by_name():
    assert skill_named("pick") is SKILLS["pick"]
    with pytest.raises(UnknownName, match="skill 'pick'"):
        skill_named("pick", {})
