"""A recorded episode answers again: everything downstream of a model runs without one."""

import dataclasses
import json
from contextlib import nullcontext

import numpy as np
import pytest

from tandem.agent.loop import Agent
from tandem.agent.planner.babbler import Babbler
from tandem.agent.planner.cassette import CassetteModel
from tandem.agent.planner.family import Family, Frame
from tandem.agent.planner.model import Picture, Question
from tandem.agent.planner.planner import ModelPlanner
from tandem.agent.planner.schema import judge_schema
from tandem.agent.planner.served import ServedModel
from tandem.agent.recover import Limits
from tandem.agent.verify.judge import JudgeVerifier
from tandem.bridge.conformance import DummyBody, DummyPlanner, DummyPolicy, DummyVerifier, dummy_spec
from tandem.bridge.contract import EventKind, FailureCode, LogUnreadable, ModelUnusable, Plan, PlannerFailed, Subgoal
from tandem.bridge.log import LogReader, Recorder

SPEC = dummy_spec()
PIXELS = Family(
    "Halves", "nobody", (), frame=Frame.RESIZED_PIXELS, resize=lambda width, height: (width // 2, height // 2)
)
LIMITS = Limits(steps=400)


def episode(path, model, *, instruction="put the red cube in the blue bin", judge=True):
    planner = ModelPlanner(model) if model is not None else DummyPlanner([Subgoal("home")])
    verifier = JudgeVerifier(model, SPEC) if judge and model is not None else DummyVerifier()
    with Recorder(path) if path else nullcontext() as recorder:
        listening = [recorder] if path else []
        agent = Agent(DummyBody(SPEC), planner, DummyPolicy(SPEC), verifier, subscribers=listening, limits=LIMITS)
        return agent.run(instruction, seed=1)


def happened(path):
    """The events of a log without times of the wall clock, and without what replaying adds to a call."""
    events = []
    for event in LogReader(path).events():
        data = {name: value for name, value in event.data.items() if name != "latency_s"}
        data["calls"] = [{**call, "seconds": 0, "notes": []} for call in data.get("calls", ())]
        events.append((event.kind, event.time_s, event.message, data))
    return events


@pytest.fixture(scope="module", params=[None, PIXELS], ids=["thousandths", "pixels"])
def recorded(request, tmp_path_factory):
    """An episode of a model that babbles, and the model."""
    path = tmp_path_factory.mktemp("recorded") / "first.mcap"
    model = Babbler(request.param, seed=2) if request.param else Babbler(seed=1)
    return path, model, episode(path, model)


def test_an_episode_happens_again_without_its_model(tmp_path, recorded):
    path, model, first = recorded
    cassette = CassetteModel(path)
    again = episode(tmp_path / "again.mcap", cassette)
    assert (again.failure, again.reason, again.steps) == (first.failure, first.reason, first.steps)
    assert happened(tmp_path / "again.mcap") == happened(path)
    assert cassette.family.frame is model.family.frame
    assert cassette.resized(32, 24) == model.resized(32, 24)
    replayed = CassetteModel(tmp_path / "again.mcap")  # a replay can be replayed
    assert replayed.describe()["calls"] == cassette.describe()["calls"]


def test_plans_come_back_from_the_log_with_their_calls(recorded):
    plans = [Plan.from_dict(record) for _, record in LogReader(recorded[0]).plans()]
    assert plans
    assert [call["kind"] for call in plans[0].calls] == ["perceive", "plan"]
    assert not plans[0].privileged


def test_a_question_that_was_not_recorded_is_a_failure_that_says_where(recorded):
    other = episode(None, CassetteModel(recorded[0]), instruction="put the red cube away")
    assert other.failure is FailureCode.PLANNER_FAILED
    assert other.steps == 0
    for words in ("call 1 of 'plan' in first.mcap was another question", "in the blue bin", "away", "strict=False"):
        assert words in other.reason


SHOWN = Picture("front", np.random.default_rng(1).integers(0, 256, (24, 32, 3), np.uint8))


@pytest.fixture
def asked():
    return Question("judge", "You judge.", ("After:", SHOWN, "Statement: it is so"), judge_schema(), max_tokens=64)


@pytest.fixture(scope="module")
def tape(tmp_path_factory, stub):
    """A log of two judgements and a refusal by a served model."""
    tmp_path, model = tmp_path_factory.mktemp("tape"), ServedModel(stub("good"), "some-model")
    asked = Question("judge", "You judge.", ("After:", SHOWN, "Statement: it is so"), judge_schema(), max_tokens=64)
    calls = [answer.call for answer in model.answer([asked, asked])]
    with pytest.raises(PlannerFailed) as caught:
        model.answer([dataclasses.replace(asked, kind="plan", max_tokens=1)])
    return write(tmp_path / "tape.mcap", [*calls, *caught.value.calls])


def write(path, calls):
    class Asks(DummyPlanner):
        def plan(self, request):
            return Plan((), feasible=False, reason="only to record", calls=calls)

    with Recorder(path) as recorder:
        Agent(DummyBody(SPEC), Asks([]), DummyPolicy(SPEC), DummyVerifier(), subscribers=[recorder]).run("x", seed=0)
    return path


def test_a_served_model_is_replayed_and_what_it_refused_is_refused_again(tape, asked):
    model = CassetteModel(tape)
    [answer] = model.answer([asked])
    assert answer.value == {"evidence": "red cube", "verdict": "success"}
    assert answer.call["model"]["id"] == "some-model"
    assert answer.call["notes"] == ["replayed: call 1 of 'judge' in tape.mcap"]
    with pytest.raises(PlannerFailed, match="cut off after 1 tokens") as caught:
        model.answer([dataclasses.replace(asked, kind="plan")])
    assert caught.value.calls[0]["error"]
    assert json.loads(json.dumps(model.describe()))["calls"] == {"judge": 2, "plan": 1}


def test_an_exhausted_cassette_is_a_failure(tape, asked):
    model = CassetteModel(tape)
    model.answer([asked, asked])
    with pytest.raises(PlannerFailed, match="no further answer to 'judge', it has 2"):
        model.answer([asked])
    with pytest.raises(PlannerFailed, match="no further answer to 'perceive', it has 0"):
        model.answer([dataclasses.replace(asked, kind="perceive")])


def brighter(picture):
    pixels = picture.pixels.copy()
    pixels[0, 0, 0] ^= 1
    return Picture(picture.name, pixels)


CHANGES = {  # what is told of it: the parts that are asked instead
    "part 3 was": lambda before, shown, words: (before, shown, words + "."),
    "part 2, a picture, was front 32x24": lambda before, shown, words: (before, brighter(shown), words),
    "is wrist 32x24": lambda before, shown, words: (before, Picture("wrist", shown.pixels), words),
    "it had 3 parts, this one has 2": lambda _, shown, words: (shown, words),
    "part 2 was a picture": lambda before, _, words: (before, "no picture", words),
    "the system text was": None,
}


@pytest.mark.parametrize("words", CHANGES)
def test_every_difference_is_told_and_may_be_passed_over(tape, asked, words):
    change = {"system": "You judge!"} if CHANGES[words] is None else {"parts": CHANGES[words](*asked.parts)}
    other = dataclasses.replace(asked, **change)
    with pytest.raises(PlannerFailed, match=words):
        CassetteModel(tape).answer([other])
    [answer] = CassetteModel(tape, strict=False).answer([other])
    assert answer.value["verdict"] == "success"
    assert words in answer.call["notes"][1]


def test_a_batch_that_fails_may_be_asked_again_one_by_one(tape, asked):
    model, other = CassetteModel(tape), dataclasses.replace(asked, system="You judge!")
    with pytest.raises(PlannerFailed, match="call 2 of 'judge'") as caught:
        model.answer([asked, other])
    assert len(caught.value.calls) == 1
    assert len(model.answer([asked])) == 1
    assert len(model.answer([asked])) == 1


def test_an_answer_that_is_no_longer_allowed_is_a_failure(tape, asked):
    schema = {"type": "object", "properties": {"verdict": {"const": "success"}}, "required": ["verdict"]}
    with pytest.raises(PlannerFailed, match="evidence must not be there"):
        CassetteModel(tape).answer([dataclasses.replace(asked, schema=schema)])


def test_a_log_without_answers_is_named(tmp_path, tape):
    episode(tmp_path / "scripted.mcap", None)
    with pytest.raises(ModelUnusable, match="planner was scripted"):
        CassetteModel(tmp_path / "scripted.mcap")
    with pytest.raises(LogUnreadable, match="no log"):
        CassetteModel(tmp_path / "none.mcap")
    with pytest.raises(ModelUnusable, match="another version"):
        CassetteModel(write(tmp_path / "old.mcap", [{"kind": "plan", "reply": "{}"}]))


def test_of_several_models_one_is_named(tmp_path, tape, asked):
    [call, *_] = [call for event in LogReader(tape).events() for call in event.data.get("calls", ())]
    both = write(tmp_path / "both.mcap", [call, {**call, "model": {**call["model"], "id": "other"}}])
    with pytest.raises(ModelUnusable, match="some-model, other"):
        CassetteModel(both)
    assert CassetteModel(both, model="other").answer([asked])[0].call["model"]["id"] == "other"


def test_failures_and_judgements_are_in_the_log(tmp_path, stub):
    result = episode(tmp_path / "bad.mcap", ServedModel(stub("prose"), "m"))
    assert result.failure is FailureCode.PLANNER_FAILED
    [event] = [event for event in LogReader(tmp_path / "bad.mcap").events() if event.kind is EventKind.CALLS]
    assert event.data["what"] == "planner"
    assert event.data["calls"][0]["reply"] == "I would pick up the red cube."
    assert "not JSON" in episode(None, CassetteModel(tmp_path / "bad.mcap")).reason
