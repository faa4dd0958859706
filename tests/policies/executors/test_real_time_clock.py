"""A live clock: thinking off the control thread, wall time counts, and a forgotten thought runs to its end first."""

import threading
import time

import numpy as np
import pytest

from tandem.bridge.conformance import DummyBody
from tandem.bridge.contract import Subgoal
from tandem.policies.executors import executor_named


@pytest.fixture
def slow(counter):
    class Slow(counter):
        """Takes that long, and writes down by which thread it is asked and whether twice at once."""

        takes_s, inside, overlapped = 0.12, 0, False

        def infer(self, observation, subgoal):
            self.overlapped |= self.inside > 0
            self.inside += 1
            self.thread, self.saw = threading.current_thread(), type(observation)
            time.sleep(self.takes_s)
            self.inside -= 1
            return super().infer(observation, subgoal)

    return Slow


def test_thinking_runs_beside_the_control_thread_and_costs_what_it_took(spec, slow, charge, driven):
    policy = slow(spec)
    executor = executor_named("async:threshold=0.9").around(policy, spec, charge())
    started_s = time.perf_counter()
    said, _ = driven(executor, 16)
    assert policy.thread is not threading.main_thread()
    assert policy.saw is dict, "pictures are read on the control thread, before the body moves on"
    standing = int(np.isnan(said).argmin())
    assert 3 <= standing <= 6  # 120 ms are at least three control steps of 50 ms
    assert not np.isnan(said[standing:standing + 8]).any()
    summary = executor.metrics.total.summary()
    assert summary.latency_p50_s == pytest.approx(0.12, abs=0.06)
    assert time.perf_counter() - started_s > 0.12 * summary.inferences


def test_a_simulation_waits_for_the_wall_only_while_somebody_thinks(spec, slow, charge, driven):
    policy = slow(spec, horizon=200)
    policy.takes_s = 0.06
    started_s = time.perf_counter()
    driven(executor_named("open_loop:horizon=150").around(policy, spec, charge()), 150)  # 7.5 s of body time
    assert time.perf_counter() - started_s < 2.0


def test_a_policy_is_never_asked_twice_at_once_and_its_late_answer_is_dropped(spec, slow, charge, driven):
    policy = slow(spec)
    executor = executor_named("open_loop").around(policy, spec, charge())
    driven(executor, 1, epoch=1)  # the subgoal ends while the thought about it goes on
    said, chunks = driven(executor, 12, epoch=2)
    assert not policy.overlapped
    assert policy.epochs[-2:] == [1, 2]
    first = int(np.isnan(said).argmin())
    assert said[first] == 0.0, "the first chunk of epoch 2, not the one of epoch 1"
    assert {chunk.epoch for chunk in chunks} == {2}


def test_only_what_a_policy_observes_is_copied(spec, slow, charge):
    class Looking(slow):
        observes = ("time", "image.front")
        takes_s = 0.0

        def infer(self, observation, subgoal):
            self.keys = tuple(observation)
            return super().infer(observation, subgoal)

    observation, _ = DummyBody(spec).reset(seed=1)
    policy = Looking(spec)
    executor = executor_named("open_loop").around(policy, spec, charge())
    executor.reset(1)
    executor.infer(observation, Subgoal("home"))
    assert observation.read == ["image.front"]
    executor._thinker._running.done.wait(2)
    assert policy.keys == ("time", "image.front")
