"""Whole episodes in physics: the motion policy in every executor that can drive it, charged and live."""

import numpy as np
import pytest
from composition import Rig, System

from tandem.bridge.contract import InvalidOption


class Actions:
    def __init__(self):
        self.actions = []

    def on_episode_start(self, start):
        pass

    def on_step(self, step):
        self.actions.append(step.action)

    def on_event(self, event):
        pass

    def on_episode_end(self, result):
        pass


def episode(executor, clock, policy="motion", task="pick_place", seed=2):
    rig, heard = Rig(System(
        task=task, planner="scripted", policy=policy, executor=executor, clock=clock,
    )), Actions()
    try:
        result = rig.run(seed, subscribers=[heard])
        assert result.measured, f"{result.failure}: {result.reason}"
        return rig.policy.metrics.total.summary(), np.array(heard.actions)
    finally:
        rig.close()


@pytest.mark.parametrize("clock", ["lockstep", "charged:200", "live"])
@pytest.mark.parametrize("executor", ["open_loop:horizon=8", "ensemble", "async"])
def test_the_motion_policy_succeeds(executor, clock):
    summary, _ = episode(executor, clock)
    assert (summary.stale > 0) == (clock != "lockstep")
    assert summary.executor == executor.partition(":")[0]


def test_timestamped_drives_it_where_thinking_costs_nothing():
    assert episode("timestamped", "lockstep")[0].dropped == 0


@pytest.mark.parametrize("executor", ["open_loop:horizon=8", "async"])
def test_a_stack_is_built_while_thinking_costs_200_ms(executor):
    episode(executor, "charged:200", task="stack")


@pytest.mark.parametrize("executor", ["open_loop", "ensemble", "async"])
def test_charged_episodes_are_the_same_bit_for_bit(executor):
    assert np.array_equal(*(episode(executor, "charged:120", policy="demonstrator")[1] for _ in range(2)))


def test_an_executor_that_cannot_drive_this_policy_is_refused_before_anything_moves():
    rig = Rig(System(planner="scripted", executor="rtc"))
    with pytest.raises(InvalidOption, match="choose a flow policy, or the executor async"):
        rig.run(1)
    rig.close()
