"""Whole episodes by a slow policy whose every chunk is another curve: what real-time chunking does to the seams."""

import pytest

from tandem.agent.clock import Charged
from tandem.agent.loop import Agent
from tandem.bridge.conformance import DummyBody, DummyPlanner, DummyVerifier
from tandem.bridge.contract import EventKind, Subgoal
from tandem.policies.executors import executor_named

SUBGOAL = Subgoal("pick", {"object": "red cube"}, timeout_s=60.0)


class Ears:
    def __init__(self):
        self.events, self.steps = [], []

    def on_episode_start(self, start):
        pass

    def on_step(self, step):
        self.steps.append(step)

    def on_event(self, event):
        self.events.append(event)

    def on_episode_end(self, result):
        pass


def episode(name, policy, spec, ms=200):
    clock, ears = Charged(ms), Ears()
    executor = executor_named(name).around(policy, spec, clock)
    agent = Agent(DummyBody(spec), DummyPlanner([SUBGOAL]), executor, DummyVerifier(), clock=Charged(0),
                  subscribers=(executor.metrics, ears))
    executor.listen(agent.notice)
    result = agent.run("go there", seed=3)
    assert result.claimed, result.reason
    return executor.metrics.total.summary(), ears


@pytest.fixture
def jerk(flow, spec):
    return lambda name, **more: episode(name, flow(spec, **more), spec)[0].seam_jerk


@pytest.mark.parametrize("name", [
    "rtc:horizon=8", "rtc:horizon=8,schedule=exp", "rtc:horizon=8,jacobian=full", "rtc:horizon=8,mode=trained",
])
def test_real_time_chunking_at_least_halves_the_jerk_at_seams(name, jerk):
    assert jerk(name) <= 0.5 * jerk("open_loop:horizon=8")
    assert jerk(name) <= 0.5 * jerk("async:threshold=0.6,blend=constant,weight=1"), "than switching over without it"


def test_with_fewer_points_than_actions_it_does_so_too(jerk):
    assert jerk("rtc:horizon=8", stride=2) <= 0.5 * jerk("open_loop:horizon=8", stride=2)


def test_blending_is_smoother_than_switching_over(jerk):
    assert jerk("async") < jerk("async:blend=constant,weight=1")


def test_without_guidance_the_seams_are_back(jerk):
    assert jerk("rtc:horizon=8") <= 0.5 * jerk("rtc:horizon=8,beta=0")


def test_the_arm_does_not_stand_between_chunks(flow, spec):
    slow, _ = episode("open_loop:horizon=8", flow(spec), spec)
    rtc, _ = episode("rtc:horizon=8", flow(spec), spec)
    assert rtc.stale == 4, "only before the first chunk"
    assert slow.stale_action_ratio > 0.25
    assert rtc.effective_hz > 1.3 * slow.effective_hz


def test_the_log_hears_how_a_subgoal_was_driven_right_after_its_end(flow, spec):
    summary, ears = episode("rtc:horizon=8", flow(spec), spec)
    kinds = [event.kind for event in ears.events]
    end = kinds.index(EventKind.SUBGOAL_END)
    assert kinds[end + 1] is EventKind.EXECUTION
    data = ears.events[end + 1].data
    assert data["executor"] == "rtc"
    assert data["seam_jerk"] == pytest.approx(summary.seam_jerk)
    assert data["latency_p50_s"] == data["latency_p99_s"] == pytest.approx(0.2)
    assert len(ears.steps) == data["actions"] == summary.actions
    assert EventKind.THINKING not in kinds, "the executor has paid; the clock of the loop charges nothing more"


def test_the_loop_does_not_charge_twice(flow, spec):
    executor = executor_named("open_loop:horizon=8").around(flow(spec), spec, Charged(200))
    ears = Ears()
    verifier = DummyVerifier()
    agent = Agent(DummyBody(spec), DummyPlanner([SUBGOAL]), executor, verifier, clock=Charged(200), subscribers=(ears,))
    agent.run("go there", seed=3)
    charged = {event.data["what"] for event in ears.events if event.kind is EventKind.THINKING}
    assert charged == {"planner", "verifier"}


def test_a_policy_that_goes_on_from_its_own_chunk_is_told_how_much_of_it_is_behind(flow, spec):
    policy, told = flow(spec), []
    policy.carried_out = told.append
    episode("rtc:horizon=8", policy, spec)
    assert told[:2] == [0, 8]
    assert set(told[2:-1]) == {8}
