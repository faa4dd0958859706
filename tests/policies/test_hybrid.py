"""Falling back: when, to whom, and that it is said."""

import dataclasses
import logging

import numpy as np
import pytest

from tandem.agent.loop import Agent
from tandem.bridge.conformance import DummyBody, DummyPlanner, DummyPolicy, DummyVerifier, check_policy, dummy_spec
from tandem.bridge.contract import (
    SKILLS,
    ActionKind,
    EventKind,
    FailureCode,
    InvalidAction,
    InvalidOption,
    InvalidPlan,
    SkillFailed,
    SpecMismatch,
    Subgoal,
    UnknownName,
)
from tandem.policies.executors import executor_named
from tandem.policies.hybrid import HybridPolicy

SPEC = dummy_spec()
PICK, HOME = Subgoal("pick", {"object": "red cube"}), Subgoal("home")


class Learned(DummyPolicy):
    """Offers one skill; sure of itself for the first so many chunks of a subgoal."""

    def __init__(self, sure_for=100):
        super().__init__(SPEC, chunks=5, skills={"pick": SKILLS["pick"]})
        self.sure_for, self.confidence = sure_for, 1.0

    def infer(self, observation, subgoal):
        chunk = super().infer(observation, subgoal)
        self.confidence = 0.9 if self._calls <= self.sure_for else 0.2
        return dataclasses.replace(chunk, phase="learned")


def observed(seed=1):
    return DummyBody(SPEC).reset(seed=seed)[0]


def phases(hybrid, subgoal=PICK, calls=4):
    told = []
    hybrid.listen(told.append)
    hybrid.reset(1)
    return [hybrid.infer(observed(), subgoal).phase for _ in range(calls)], told


def test_a_sure_policy_drives_and_nothing_is_said():
    assert phases(HybridPolicy(Learned(), DummyPolicy(SPEC))) == (["learned"] * 4, [])


def test_from_the_first_chunk_it_doubts_the_other_drives_for_the_rest_of_the_subgoal():
    driven, told = phases(HybridPolicy(Learned(sure_for=2), DummyPolicy(SPEC, chunks=9)))
    assert driven == ["learned", "learned", "home", "home"]
    (event,) = told
    assert event.kind is EventKind.FALLBACK
    assert event.data == {
        "skill": "pick", "from": "Learned", "to": "DummyPolicy", "reason": "its confidence 0.20 is below 0.50"}
    assert "DummyPolicy takes over from Learned" in event.message


def test_the_next_subgoal_is_a_new_chance():
    hybrid = HybridPolicy(Learned(sure_for=0), DummyPolicy(SPEC, chunks=9))
    told = []
    hybrid.listen(told.append)
    for epoch in (1, 2):
        hybrid.reset(epoch)
        hybrid.infer(observed(), PICK)
    assert len(told) == 2


def test_who_asks_again_and_again_gets_the_other_one_however_sure_the_first_is():
    """A verifier has seen that it was not done; in the next episode there is a new chance."""
    hybrid, told = HybridPolicy(Learned(), DummyPolicy(SPEC)), []
    hybrid.listen(told.append)
    other = Subgoal("pick", {"object": "blue cube"})

    def drives(epoch, subgoal):
        hybrid.reset(epoch)
        return hybrid.infer(observed(), subgoal).phase == "learned"

    assert [drives(epoch, PICK) for epoch in (1, 2, 3, 4)] == [True, True, False, False]
    assert "2 tries at pick(red cube)" in told[0].message
    assert drives(5, other)
    assert drives(1, PICK)
    with pytest.raises(InvalidOption, match="one try"):
        HybridPolicy(Learned(), DummyPolicy(SPEC), tries=0)


def test_to_step_back_is_asked_for_often_and_is_no_failure():
    hybrid, told = HybridPolicy(DummyPolicy(SPEC, skills={"home": SKILLS["home"]}), DummyPolicy(SPEC)), []
    hybrid.listen(told.append)
    for epoch in range(1, 6):
        hybrid.reset(epoch)
        hybrid.infer(observed(), HOME)
    assert not told


def test_confidence_may_be_a_method_and_is_asked_before_each_chunk():
    class Asked(Learned):
        answers = iter([0.9, 0.8, 0.1])

        def __init__(self):
            super().__init__()
            self.confidence = lambda observation, subgoal: next(self.answers)

        def infer(self, observation, subgoal):
            return dataclasses.replace(DummyPolicy.infer(self, observation, subgoal), phase="learned")

    driven, told = phases(HybridPolicy(Asked(), DummyPolicy(SPEC, chunks=9)))
    assert driven == ["learned", "learned", "home", "home"]
    assert len(told) == 1


def test_no_number_is_no_confidence():
    class Odd(Learned):
        def infer(self, observation, subgoal):
            chunk = super().infer(observation, subgoal)
            self.confidence = float("nan")
            return chunk

    assert phases(HybridPolicy(Odd(), DummyPolicy(SPEC)), calls=1)[0] == ["home"]


def test_a_skill_that_was_not_learned_and_a_preflight_that_says_no():
    driven, told = phases(HybridPolicy(Learned(), DummyPolicy(SPEC)), HOME, 1)
    assert (driven, told[0].data["reason"]) == (["home"], "it does not offer the skill 'home'")

    def preflight(observation, subgoal):
        raise InvalidPlan("it needs a camera point")

    driven, told = phases(HybridPolicy(Learned(), DummyPolicy(SPEC), preflight=preflight), PICK, 1)
    assert (driven, told[0].data["reason"]) == (["home"], "the preflight says: it needs a camera point")


def test_without_a_listener_it_is_a_warning(caplog):
    hybrid = HybridPolicy(Learned(sure_for=0), DummyPolicy(SPEC))
    with caplog.at_level(logging.WARNING):
        hybrid.infer(observed(), PICK)
    assert "takes over" in caplog.text


def test_a_failure_is_the_agents_to_remedy():
    class Fails(Learned):
        def infer(self, observation, subgoal):
            raise SkillFailed(FailureCode.GRASP_FAILED, "missed")

    with pytest.raises(SkillFailed, match="missed"):
        HybridPolicy(Fails(), DummyPolicy(SPEC)).infer(observed(), PICK)


def test_when_neither_can_nothing_moves():
    hybrid = HybridPolicy(Learned(sure_for=0), DummyPolicy(SPEC, skills={"home": SKILLS["home"]}))
    with pytest.raises(UnknownName):
        hybrid.infer(observed(), PICK)


@pytest.mark.parametrize("sure_for", [0, 100])
def test_it_is_a_policy(sure_for):
    make = lambda: HybridPolicy(Learned(sure_for), DummyPolicy(SPEC))  # noqa: E731
    check_policy(make, SPEC, observed(), [PICK, HOME])


def test_in_an_executor_what_it_says_reaches_the_log():
    heard = []

    class Ears:
        def on_episode_start(self, start):
            pass

        def on_step(self, step):
            pass

        def on_event(self, event):
            heard.append(event)

        def on_episode_end(self, result):
            pass

    executor = executor_named("async").around(HybridPolicy(Learned(sure_for=1), DummyPolicy(SPEC, chunks=3)), SPEC)
    listening = (executor.metrics, Ears())
    agent = Agent(DummyBody(SPEC), DummyPlanner([PICK]), executor, DummyVerifier(), subscribers=listening)
    executor.listen(agent.notice)
    assert agent.run("pick", seed=1).claimed
    kinds = [event.kind for event in heard]
    assert kinds.count(EventKind.FALLBACK) == kinds.count(EventKind.EXECUTION) == 1
    assert kinds.index(EventKind.FALLBACK) < kinds.index(EventKind.SUBGOAL_END)


def test_it_tells_the_one_who_drives_what_was_carried_out():
    class Told(DummyPolicy):
        told = []

        def carried_out(self, count):
            self.told.append(count)

    hybrid = HybridPolicy(Learned(sure_for=0), Told(SPEC, chunks=5))
    hybrid.carried_out(0)
    hybrid.infer(observed(), PICK)
    hybrid.carried_out(3)
    assert Told.told == [3]


@pytest.mark.parametrize("name", ["open_loop:horizon=4", "async", "ensemble", "timestamped"])
def test_in_an_executor_who_takes_over_is_told_what_was_commanded_last(name):
    class Closes(Learned):
        def infer(self, observation, subgoal):
            chunk = super().infer(observation, subgoal)
            hand = np.ones(len(chunk)) if self._calls < 5 else np.linspace(0.8, 0.0, len(chunk))
            return dataclasses.replace(chunk, actions=np.column_stack([chunk.actions[:, :-1], hand]))

    class TakesOver(DummyPolicy):
        told = None

        def take_over(self, command):
            self.told = command

    second = TakesOver(SPEC)
    executor = executor_named(name).around(HybridPolicy(Closes(), second), SPEC)
    body, last = DummyBody(SPEC), None
    observation, _ = body.reset(seed=1)
    executor.reset(1)
    while last is None or not last.final:
        last = executor.infer(observation, PICK)
        observation, *_ = body.step(last.actions[0])
    assert last.actions[0, -1] < 0.5
    executor.reset(2)
    executor.infer(observation, HOME)  # which the first does not offer
    assert np.array_equal(second.told, last.actions[0])


def test_an_old_chunk_stays_an_old_chunk():
    class Late(DummyPolicy):
        def infer(self, observation, subgoal):
            chunk = super().infer(observation, subgoal)
            return dataclasses.replace(chunk, epoch=chunk.epoch - 1)

    executor = executor_named("async").around(HybridPolicy(Late(SPEC), DummyPolicy(SPEC)), SPEC)
    executor.reset(5)
    with pytest.raises(InvalidAction, match="epoch 4"):
        executor.infer(observed(), PICK)


def test_choices_without_meaning_are_refused():
    with pytest.raises(InvalidOption, match="from 0 to 1"):
        HybridPolicy(Learned(), DummyPolicy(SPEC), least=2)
    other = DummyPolicy(SPEC)
    other.action_kind = ActionKind.CUSTOM
    with pytest.raises(SpecMismatch, match="custom"):
        HybridPolicy(Learned(), other)


def test_the_observation_stays_as_it_was():
    observation = observed()
    before = np.array(observation["joint_position"])
    HybridPolicy(Learned(0), DummyPolicy(SPEC)).infer(observation, PICK)
    assert np.array_equal(before, observation["joint_position"])
