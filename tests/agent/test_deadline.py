"""A body that hangs becomes a typed failure; one that answers is not changed."""

import threading

import numpy as np
import pytest

from tandem.agent.deadline import WatchedBody
from tandem.agent.loop import Agent
from tandem.bridge.conformance import DummyBody, DummyPlanner, DummyPolicy, DummyVerifier, check_body
from tandem.bridge.contract import BodyUnresponsive, InvalidAction, InvalidOption, Subgoal


class Hanging(DummyBody):
    """Never answers its n-th step, until the test lets it go."""

    def __init__(self, at=3):
        super().__init__()
        self.steps, self.at, self.let_go = 0, at, threading.Event()

    def step(self, action):
        self.steps += 1
        if self.steps == self.at:
            self.let_go.wait(10.0)
        return super().step(action)


@pytest.fixture
def hanging():
    body = Hanging()
    yield body
    body.let_go.set()


def test_a_watched_body_is_a_body():
    check_body(lambda: WatchedBody(DummyBody()))


def test_a_body_that_hangs_is_given_up(hanging):
    body = WatchedBody(hanging, 0.05)
    action = np.array([0.4, 0.0, 0.3, 1.0])
    body.reset(seed=1)
    body.step(action)
    body.step(action)
    with pytest.raises(BodyUnresponsive, match=r"step within 0\.05 s"):
        body.step(action)
    with pytest.raises(BodyUnresponsive, match="never answered step"):
        body.step(action)
    with pytest.raises(BodyUnresponsive):
        body.reset(seed=1)
    body.close()
    body.close()
    assert hanging.steps == 3


def test_an_episode_ends_when_the_body_hangs(hanging):
    body, planner = WatchedBody(hanging, 0.05), DummyPlanner([Subgoal("home")])
    agent = Agent(body, planner, DummyPolicy(hanging.spec), DummyVerifier())
    result = agent.run("go home", seed=1)
    assert (result.claimed, result.failure, result.steps, hanging.steps) == (False, "BODY_UNRESPONSIVE", 2, 3)


def test_errors_of_the_body_come_through():
    body = WatchedBody(DummyBody())
    with pytest.raises(InvalidAction, match="reset"):
        body.step(np.zeros(4))


def test_the_answer_to_an_interrupted_call_is_not_taken_for_the_next():
    body = WatchedBody(DummyBody())
    first, _ = body.reset(seed=1)
    body._answers.put((body._number, "left over from a call that Ctrl-C broke off", None))
    observation = body.step(np.array([0.4, 0.0, 0.3, 1.0]))[0]
    assert observation["time"] > first["time"]


@pytest.mark.parametrize("deadlines", [(0.0, 1.0), (-1.0, 1.0), (1.0, float("nan"))], ids=str)
def test_deadlines_are_positive(deadlines):
    with pytest.raises(InvalidOption):
        WatchedBody(DummyBody(), *deadlines)
