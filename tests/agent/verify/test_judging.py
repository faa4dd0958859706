"""Verifiers that ask, combine or believe: what is uncertain stays inconclusive, and a failure is never outvoted."""

import itertools

import numpy as np
import pytest

from tandem.agent.planner.babbler import BABBLE, Babbler
from tandem.agent.planner.family import Family
from tandem.agent.planner.model import Answer
from tandem.agent.verify.both import BothVerifiers
from tandem.agent.verify.judge import JudgeVerifier
from tandem.agent.verify.trusting import TrustingVerifier
from tandem.bridge.conformance import DummyVerifier, check_verifier, dummy_spec
from tandem.bridge.contract import InvalidOption, ModelUnusable, Outcome, PlannerFailed, Subgoal

SPEC = dummy_spec()
CAMERA = SPEC.cameras[0]
PICK, PLACE = Subgoal("pick", {"object": "red cube"}), Subgoal("place", {"target": "blue bin"}, "", "it is in")


def _seen(seed):
    shape = (CAMERA.height, CAMERA.width, 3)
    pixels = np.random.default_rng(seed).integers(0, 255, shape, dtype=np.uint8)
    return {f"image.{CAMERA.name}": pixels, "tool_pose": np.zeros(7)}


class Says(Babbler):
    """Gives one answer for ever, or raises it."""

    def __init__(self, value):
        super().__init__()
        self.value, self.asked = value, []

    def answer(self, questions):
        self.asked += questions
        if isinstance(self.value, Exception):
            raise self.value
        return [Answer(self.value, {"kind": "judge"}) for _ in questions]


@pytest.mark.parametrize("make", [
    lambda: JudgeVerifier(Babbler(), SPEC), TrustingVerifier,
    lambda: BothVerifiers(JudgeVerifier(Babbler(), SPEC), DummyVerifier()),
])
def test_the_laws_of_a_verifier_hold(make):
    check_verifier(make, [PICK, PLACE, Subgoal("home")], _seen(0), _seen(1), deterministic=False)


@pytest.mark.parametrize("outcome", list(Outcome))
def test_the_judge_says_what_the_model_says_and_keeps_the_exchange(outcome):
    model = Says({"evidence": "the cube is gone", "verdict": str(outcome)})
    verdict = JudgeVerifier(model, SPEC).verify(PLACE, _seen(0), _seen(1))
    assert verdict.outcome is outcome
    assert "the cube is gone" in verdict.evidence
    assert len(verdict.calls) == 1


def test_the_judge_is_asked_for_the_criterion_with_both_pictures_and_nothing_else():
    model = Says({"evidence": "it is", "verdict": "success"})
    before, after = _seen(0), _seen(1)
    JudgeVerifier(model, SPEC).verify(PLACE, before, after)
    JudgeVerifier(model, SPEC).verify(PICK, before, after)
    first, second = (question.parts for question in model.asked)
    assert first[0] == "Before:"
    assert first[4] == "Statement: it is in"
    assert np.array_equal(first[1].pixels, before[f"image.{CAMERA.name}"])
    assert np.array_equal(first[3].pixels, after[f"image.{CAMERA.name}"])
    assert second[4] == "Statement: the gripper holds the red cube above the table"


@pytest.mark.parametrize("value", [
    PlannerFailed("the server is down", ({"kind": "judge"},)), {}, {"evidence": "x", "verdict": "yes"},
    {"verdict": "success"}, None,
], ids=str)
def test_what_the_model_cannot_answer_is_inconclusive(value):
    verdict = JudgeVerifier(Says(value), SPEC).verify(PLACE, _seen(0), _seen(1))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert len(verdict.calls) == 1


def test_a_black_picture_is_inconclusive_and_the_model_is_not_asked():
    model, black = Says({}), {key: np.zeros_like(value) for key, value in _seen(0).items()}
    assert JudgeVerifier(model, SPEC).verify(PLACE, _seen(0), black).outcome is Outcome.INCONCLUSIVE
    assert not model.asked


def test_a_judge_needs_eyes_and_a_camera_that_stands_still():
    with pytest.raises(ModelUnusable):
        JudgeVerifier(Babbler(Family("Reader", "b", (), sees=False)), SPEC)
    with pytest.raises(InvalidOption, match="stands still"):
        JudgeVerifier(Babbler(BABBLE), SPEC, camera="roof")


@pytest.mark.parametrize(("first", "second"), list(itertools.product(Outcome, Outcome)))
def test_of_two_verifiers_failure_wins_and_success_needs_one_vote(first, second):
    both = BothVerifiers(DummyVerifier(first), DummyVerifier(second))
    verdict = both.verify(PICK, _seen(0), _seen(1))
    expected = Outcome.INCONCLUSIVE
    if Outcome.FAILURE in (first, second):
        expected = Outcome.FAILURE
    elif Outcome.SUCCESS in (first, second):
        expected = Outcome.SUCCESS
    assert verdict.outcome is expected
    assert verdict.evidence.count("a dummy's word") == 2


def test_two_verifiers_are_privileged_if_one_is_and_observe_what_either_does():
    oracle = DummyVerifier()
    oracle.privileged, oracle.observes = True, ("time",)
    both = BothVerifiers(DummyVerifier(), oracle)
    assert both.privileged
    assert both.observes == ("tool_pose", "time")
