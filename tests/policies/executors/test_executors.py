"""What each executor does step by step, and what all of them must: the contract, epochs, late chunks, determinism."""

import math

import numpy as np
import pytest

from tandem.bridge.conformance import DummyBody, DummyPolicy, check_policy
from tandem.bridge.contract import FailureCode, InvalidAction, InvalidOption, SkillFailed, Subgoal, UnknownName
from tandem.policies.executors import EXECUTORS, executor_named

GENERAL = ("open_loop", "ensemble", "async", "timestamped")
NAN = math.nan


def make(name, policy, spec, clock=None):
    return executor_named(name).around(policy, spec, clock)


def test_the_table_is_complete():
    assert tuple(EXECUTORS) == ("open_loop", "ensemble", "async", "rtc", "timestamped")


@pytest.mark.parametrize("ms", [0, 200])
@pytest.mark.parametrize("name", [*EXECUTORS, "rtc:mode=trained", "rtc:jacobian=full,schedule=exp"])
def test_every_executor_is_a_policy(name, ms, spec, flow, charge):
    observation, _ = DummyBody(spec).reset(seed=1)
    subgoals = [Subgoal("home"), Subgoal("pick", {"object": "red cube"})]
    check_policy(lambda: make(name, flow(spec), spec, charge(ms)), spec, observation, subgoals)


@pytest.mark.parametrize("name", GENERAL)
def test_around_the_dummy_policy_it_is_still_a_policy(name, spec):
    observation, _ = DummyBody(spec).reset(seed=1)
    check_policy(lambda: make(name, DummyPolicy(spec), spec), spec, observation, [Subgoal("home")])


# Step by step. Counter says k + i / 100 for action i of its k-th chunk of 10; 200 ms are 4 control steps.

def test_open_loop_stands_while_it_thinks_and_begins_at_the_beginning(spec, counter, charge, driven):
    policy = counter(spec)
    said, _ = driven(make("open_loop:horizon=3", policy, spec, charge(200)), 15)
    assert said == pytest.approx([NAN] * 4 + [0, .01, .02] + [NAN] * 4 + [1, 1.01, 1.02] + [NAN], nan_ok=True)
    assert policy.told == [0, 3, 3]


def test_open_loop_without_latency_never_stands(spec, counter, driven):
    said, _ = driven(make("open_loop:horizon=3", counter(spec), spec), 7)
    assert said == pytest.approx([0, .01, .02, 1, 1.01, 1.02, 2])


def test_async_thinks_while_it_moves_and_skips_what_was_carried_out(spec, counter, charge, driven):
    policy = counter(spec)
    said, _ = driven(make("async:threshold=0.6,blend=constant,weight=1", policy, spec, charge(200)), 21)
    first, second = [0, .01, .02, .03, .04, .05, .06, .07], [1.04, 1.05, 1.06, 1.07]
    assert said == pytest.approx([NAN] * 4 + first + second + [2.04, 2.05, 2.06, 2.07, 3.04], nan_ok=True)
    assert policy.told == [0, 4, 4, 4, 4]
    assert policy.asked_s == pytest.approx([0.0, 0.4, 0.6, 0.8, 1.0])


def test_async_blends_from_the_old_chunk_to_the_new_one(spec, counter, charge, driven):
    said, _ = driven(make("async:threshold=0.6", counter(spec), spec, charge(200)), 14)
    # at arrival two old actions are left, 0.08 and 0.09; the new chunk's own for these moments are 1.04 and 1.05
    old, new = np.array([.08, .09]), np.array([1.04, 1.05])
    assert said[12:14] == pytest.approx(old + np.array([1, 2]) / 3 * (new - old))


def test_async_begins_early_enough_when_thinking_takes_long(spec, counter, charge, driven):
    said, _ = driven(make("async:threshold=0", counter(spec), spec, charge(200)), 40)
    assert not np.isnan(said[4:]).any()


@pytest.mark.parametrize("ms", [0, 100])
def test_ensembling_is_the_weighted_mean_of_all_predictions(ms, spec, counter, charge, driven):
    """Against a slow reference that keeps every chunk."""
    m, horizon, delay, steps = 0.3, 6, ms // 50, 30
    said, _ = driven(make(f"ensemble:m={m}", counter(spec, horizon), spec, charge(ms)), steps)
    begun = [0] if not delay else []
    begun = list(range(0, steps, delay)) if delay else list(range(steps))
    for step in range(delay, steps):
        known = [(k, step - at) for k, at in enumerate(begun) if at + delay <= step and k > 0 and step - at < horizon]
        first = step - delay  # the first chunk was thought of while the arm stood: it begins with its first action
        known = [(0, first)] * (first < horizon) + known
        values = np.array([k + i / 100 for k, i in known])
        weights = np.exp(-m * np.arange(len(values)))
        assert said[step] == pytest.approx((weights * values).sum() / weights.sum(), abs=1e-5), step


def test_timestamped_drops_what_is_over(spec, counter, charge, driven):
    policy = counter(spec)
    executor = make("timestamped:horizon=6", policy, spec, charge(200))
    said, chunks = driven(executor, 20)
    # thoughts begin at steps 0, 6, 12, 18; each chunk is used from its fifth action on
    assert said == pytest.approx(
        [NAN] * 4 + [.04, .05, .06, .07, .08, .09] + [1.04, 1.05, 1.06, 1.07, 1.08, 1.09] + [2.04, 2.05, 2.06, 2.07],
        nan_ok=True)
    times = [chunk.t0_s for chunk in chunks if chunk.phase == "count"]
    due = [policy.asked_s[int(s)] + round(s % 1 * 100) * spec.dt_s for s in said if not math.isnan(s)]
    assert times == pytest.approx(due)
    assert executor.metrics.total.summary().dropped == 12


def test_timestamped_sends_early_to_an_arm_that_is_late(spec, counter, driven):
    said, _ = driven(make("timestamped:horizon=5,lead_ms=100", counter(spec), spec), 6)
    assert said == pytest.approx([.02, .03, .04, .05, .06, 1.02])


def test_timestamped_never_moves_by_chunks_that_are_over_and_says_why(spec, counter, charge, driven):
    with pytest.raises(SkillFailed, match=r"over before they arrived.*longer chunks") as failed:
        driven(make("timestamped", counter(spec, horizon=4), spec, charge(200)), 100)
    assert failed.value.code is FailureCode.TIMEOUT


def test_timestamped_drops_actions_whose_time_a_body_has_skipped(spec, counter):
    body = DummyBody(spec)
    observation, _ = body.reset(seed=3)
    executor = make("timestamped", counter(spec), spec)
    executor.reset(1)
    here = executor.infer(observation, Subgoal("home")).actions[0]
    for _ in range(4):  # somebody else took three control steps
        observation, *_ = body.step(here)
    assert executor.infer(observation, Subgoal("home")).actions[0, 0] == pytest.approx(0.3 + 0.04 / 1000)


def test_rtc_thinks_every_horizon_steps_and_goes_on_where_the_arm_is(spec, flow, charge, driven):
    policy = flow(spec)
    _, chunks = driven(make("rtc:horizon=6", policy, spec, charge(200)), 30)
    assert policy.asked == pytest.approx([0.0, 0.5, 0.8, 1.1, 1.4])  # 4 steps of standing, 6 of the first chunk
    assert [chunk.phase for chunk in chunks] == ["policy thinks"] * 4 + ["go"] * 26


# What must hold of all.

@pytest.mark.parametrize("name", GENERAL)
def test_a_chunk_of_an_older_epoch_is_refused(name, spec, counter, driven):
    policy = counter(spec)
    policy.late = 1
    with pytest.raises(InvalidAction, match="epoch 1 answers an earlier subgoal"):
        driven(make(name, policy, spec), 3, epoch=2)


@pytest.mark.parametrize("name", GENERAL)
def test_what_was_thought_for_an_older_epoch_is_forgotten(name, spec, counter, charge, driven):
    policy = counter(spec)
    executor = make(name, policy, spec, charge(200))
    driven(executor, 9, epoch=1)
    said, chunks = driven(executor, 4, epoch=2)
    assert np.isnan(said).all(), "nothing of epoch 1 is carried out, whether it lay ahead or was being thought"
    assert {chunk.epoch for chunk in chunks} == {2}
    assert policy.epochs[-1] == 2


@pytest.mark.parametrize("name", GENERAL)
def test_another_subgoal_begins_anew(name, spec, counter, charge):
    observation, _ = DummyBody(spec).reset(seed=1)
    executor = make(name, counter(spec), spec)
    executor.reset(1)
    executor.infer(observation, Subgoal("home"))
    chunk = executor.infer(observation, Subgoal("pick", {"object": "cube"}))
    assert chunk.actions[0, 0] == pytest.approx(0.3 + 1 / 1000)  # the second chunk, from its beginning


def test_while_nothing_is_ready_it_holds_the_last_command_and_counts(spec, counter, charge, driven):
    executor = make("open_loop:horizon=2", counter(spec), spec, charge(200))
    _, chunks = driven(executor, 10)
    standing = DummyBody(spec).reset(seed=3)[0]["joint_position"]
    assert np.allclose([chunk.actions[0, :3] for chunk in chunks[:4]], standing)
    assert all(np.array_equal(chunk.actions, chunks[5].actions) for chunk in chunks[6:10])
    summary = executor.metrics.total.summary()
    assert (summary.actions, summary.stale, summary.inferences) == (10, 8, 1)
    assert summary.stale_action_ratio == 0.8
    assert summary.effective_hz == pytest.approx(0.2 * spec.control_hz)
    assert summary.latency_p99_s == pytest.approx(0.2)


@pytest.mark.parametrize("ms", [0, 200])
@pytest.mark.parametrize("name", GENERAL)
def test_the_claim_to_be_done_comes_with_the_last_action(name, ms, spec, counter, charge, driven):
    said, chunks = driven(make(name, counter(spec, chunks=3), spec, charge(ms)), 100)
    assert chunks[-1].final
    assert not any(chunk.final for chunk in chunks[:-1])
    assert len(chunks) < 60
    assert math.isnan(said[-1]) or said[-1] > 1


@pytest.mark.parametrize("name", [*GENERAL, "rtc", "rtc:mode=trained", "rtc:jacobian=full"])
def test_charged_time_is_deterministic(name, spec, flow, charge, driven):
    runs = [driven(make(name, flow(spec), spec, charge(150)), 60)[1] for _ in range(2)]
    assert np.array_equal(*([chunk.actions for chunk in run] for run in runs))


def test_what_a_policy_raises_is_raised_when_its_answer_is_due(spec, counter, charge):
    class Failing(counter):
        def infer(self, observation, subgoal):
            raise SkillFailed(FailureCode.GRASP_FAILED, "missed")

    body = DummyBody(spec)
    observation, _ = body.reset(seed=1)
    executor = make("async", Failing(spec), spec, charge(100))
    executor.reset(1)
    for _ in range(2):
        observation, *_ = body.step(executor.infer(observation, Subgoal("home")).actions[0])
    with pytest.raises(SkillFailed, match="missed"):
        executor.infer(observation, Subgoal("home"))


def test_what_the_wrapped_policy_says_of_itself_is_passed_on(spec, counter):
    class Privileged(counter):
        privileged = True

    executor = make("async", Privileged(spec), spec)
    assert executor.privileged
    assert executor.pays_for_thinking
    assert executor.skills is Privileged.skills


# Names and refusals.

@pytest.mark.parametrize(("text", "words"), [
    ("open_lop", "Did you mean 'open_loop'"), ("rtc:jacobian=half", "identity, full"), ("rtc:mode=magic", "guided"),
    ("async:blend=hard", "ramp, constant"), ("rtc:schedule=cos", "linear, exp"),
])
def test_a_wrong_name_is_told_with_those_that_exist(text, words):
    with pytest.raises(UnknownName, match=words):
        executor_named(text)


@pytest.mark.parametrize(("text", "words"), [
    ("open_loop:steps=3", "has no option 'steps=3'; known, as key=value: horizon"), ("open_loop:horizon=0", "at least"),
    ("open_loop:horizon=2.5", "whole number"), ("ensemble:m=nan", "at least 0"), ("ensemble:m=-1", "at least 0"),
    ("async:threshold=2", "0 to 1"), ("rtc:beta=inf", "at least 0"), ("ensemble:m=much", "a number"),
])
def test_an_option_without_meaning_is_refused(text, words):
    with pytest.raises(InvalidOption, match=words):
        executor_named(text)


def test_rtc_refuses_a_policy_without_a_velocity_field(spec, counter):
    with pytest.raises(InvalidOption, match="velocity field, which Counter does not have"):
        make("rtc", counter(spec), spec)


@pytest.mark.parametrize(("name", "ms", "words"), [
    ("rtc:horizon=5", 600, "a delay of 12 steps"), ("rtc:horizon=18", 200, "a horizon of 18"),
    ("rtc:mode=trained", 450, "at most 8 given actions"),
])
def test_rtc_refuses_delays_that_no_chunk_can_bridge(name, ms, words, spec, flow, charge):
    with pytest.raises(InvalidOption, match=words):
        make(name, flow(spec), spec, charge(ms))
