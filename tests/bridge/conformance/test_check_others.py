"""The laws of policies, planners and verifiers hold for the dummies, and each is seen to fail."""

import dataclasses

import numpy as np
import pytest

from tandem.bridge.conformance import (
    DummyBody,
    DummyPlanner,
    DummyPolicy,
    DummyVerifier,
    check_planner,
    check_policy,
    check_verifier,
    dummy_spec,
)
from tandem.bridge.contract import (
    Attempt,
    CameraPoint,
    FailureCode,
    Plan,
    PlannerFailed,
    PlanRequest,
    SkillFailed,
    Subgoal,
    Verdict,
)

SPEC = dummy_spec()
HOME, PICK = Subgoal("home"), Subgoal("pick", {"object": "red cube"})


def newest():
    return DummyBody(SPEC).reset(seed=1)[0]


class Policy(DummyPolicy):
    def __init__(self):
        super().__init__(SPEC)


class Chunk(Policy):
    """Replaces one field of every chunk."""

    fields = staticmethod(lambda chunk: {})

    def infer(self, observation, subgoal):
        chunk = super().infer(observation, subgoal)
        return dataclasses.replace(chunk, **self.fields(chunk))


def chunked(name, fields):
    return type(name, (Chunk,), {"fields": staticmethod(fields)})


class NoSkills(Policy):
    def __init__(self):
        super().__init__()
        self.skills = {"home": "go home"}


class JustActions(Policy):
    def infer(self, observation, subgoal):
        return super().infer(observation, subgoal).actions


class Counts(Policy):
    """Numbers its calls over all epochs."""

    total = 0

    def infer(self, observation, subgoal):
        self.total += 1
        return dataclasses.replace(super().infer(observation, subgoal), request_id=self.total)


class Remembers(Policy):
    drift = 0.0

    def infer(self, observation, subgoal):
        self.drift += 0.01
        chunk = super().infer(observation, subgoal)
        return dataclasses.replace(chunk, actions=chunk.actions + [0, self.drift, 0, 0])


class WritesIntoIt(Policy):
    def infer(self, observation, subgoal):
        chunk = super().infer(observation, subgoal)
        observation["joint_position"][0] += 0.001
        return chunk


class GivesUp(Policy):
    def infer(self, observation, subgoal):
        raise SkillFailed(FailureCode.UNREACHABLE, "too far")


class DoesAnything(Policy):
    def infer(self, observation, subgoal):
        return super().infer(observation, HOME)


BROKEN_POLICIES = {
    NoSkills: "SkillSpec", JustActions: "ActionChunk", Counts: "start request_id over", Remembers: "forgets",
    WritesIntoIt: "joint_position", GivesUp: "too far", DoesAnything: "UnknownName or SkillFailed",
    chunked("Epoch", lambda chunk: {"epoch": 0}): "epoch", chunked("Rate", lambda chunk: {"dt_s": 1.0}): "dt_s",
    chunked("Time", lambda chunk: {"t0_s": chunk.t0_s + 1}): "t0_s",
    chunked("Same", lambda chunk: {"request_id": 0}): "request_id must count",
    chunked("Size", lambda chunk: {"actions": chunk.actions[:, 1:]}): "number 0",
    chunked("Bounds", lambda chunk: {"actions": chunk.actions + 9}): "out of bounds",
}


def test_the_dummy_is_a_policy():
    check_policy(Policy, SPEC, newest(), [HOME, PICK])


@pytest.mark.parametrize("policy", BROKEN_POLICIES, ids=lambda policy: policy.__name__)
def test_every_law_of_policies_is_seen_to_fail(policy):
    with pytest.raises(AssertionError) as caught:
        check_policy(policy, SPEC, newest(), [HOME, PICK])
    assert BROKEN_POLICIES[policy] in str(caught.value)


def test_a_policy_needs_something_to_do():
    with pytest.raises(AssertionError, match="at least one"):
        check_policy(Policy, SPEC, newest(), [])


REQUEST = PlanRequest("go home", {}, cameras=("front",))


class Answers:
    def __init__(self, answer):
        self.answer = answer

    def plan(self, request):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class GetsConfused(DummyPlanner):
    """Breaks when something went wrong before."""

    def plan(self, request):
        if request.history:
            raise KeyError("what now")
        return super().plan(request)


class GivesUpWithItsError(DummyPlanner):
    def plan(self, request):
        if request.history or not request.catalogue:
            raise PlannerFailed("I only know one way")
        return super().plan(request)


BROKEN_PLANS = {
    "no plan": ([HOME], "must return a Plan"),
    "a skill that nobody offers": (Plan((HOME,)), "only skills of the catalogue"),
    "a camera that was not given": (
        Plan((Subgoal("pick", {"object": "cube", "point": CameraPoint("rear", 1, 1)}),)), "only cameras",
    ),
    "arrays among its calls": (Plan((), calls=({"image": np.zeros(3)},)), "plain types"),
}


def test_the_dummy_is_a_planner():
    check_planner(lambda: DummyPlanner([HOME, PICK]), REQUEST)
    check_planner(lambda: GivesUpWithItsError([HOME]), REQUEST)


@pytest.mark.parametrize(("answer", "words"), BROKEN_PLANS.values(), ids=BROKEN_PLANS)
def test_every_law_of_planners_is_seen_to_fail(answer, words):
    with pytest.raises(AssertionError, match=words):
        check_planner(lambda: Answers(answer), REQUEST)


def test_a_planner_fails_with_its_own_error():
    with pytest.raises(AssertionError, match="PlannerFailed; it raised KeyError"):
        check_planner(lambda: GetsConfused([HOME]), REQUEST)


def test_the_dummy_planner_plans_what_is_left():
    done = Attempt(HOME, True, None, None, None, "", 0.0, 1.0)
    planner = DummyPlanner([HOME, PICK])
    assert planner.plan(REQUEST).subgoals == (HOME, PICK)
    assert planner.plan(dataclasses.replace(REQUEST, history=(done,))).subgoals == (PICK,)
    assert not planner.plan(dataclasses.replace(REQUEST, catalogue={})).feasible


class Verifier(DummyVerifier):
    def __init__(self):
        super().__init__()


class LooksEverywhere(Verifier):
    def verify(self, subgoal, before, after):
        before["image.front"]
        return super().verify(subgoal, before, after)


class ObservesWhatIsNotThere(Verifier):
    observes = ("object_pose",)


class ObservesAList(Verifier):
    observes = ["tool_pose"]


class SaysYes(Verifier):
    def verify(self, subgoal, before, after):
        return True


class SaysNothing(Verifier):
    def verify(self, subgoal, before, after):
        return Verdict("success", " ")


class Scribbles(Verifier):
    def verify(self, subgoal, before, after):
        verdict = super().verify(subgoal, before, after)
        before["tool_pose"][:] = 0
        return verdict


class NeverForgets(Verifier):
    """Judges by how often it was asked, in whichever episode."""

    asked = 0

    def verify(self, subgoal, before, after):
        self.asked += 1
        return Verdict("success", f"look number {self.asked}")


BROKEN_VERIFIERS = {
    LooksEverywhere: "image.front", ObservesWhatIsNotThere: "object_pose", ObservesAList: "tuple",
    SaysYes: "Verdict", SaysNothing: "evidence", Scribbles: "write", NeverForgets: "reset forgets",
}


def test_the_dummy_is_a_verifier():
    check_verifier(Verifier, [HOME, PICK], newest(), newest())


@pytest.mark.parametrize("verifier", BROKEN_VERIFIERS, ids=lambda verifier: verifier.__name__)
def test_every_law_of_verifiers_is_seen_to_fail(verifier):
    with pytest.raises(AssertionError, match=BROKEN_VERIFIERS[verifier]):
        check_verifier(verifier, [HOME, PICK], newest(), newest())
