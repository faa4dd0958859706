"""Whole episodes on dummies: what the agent does, in which order, and what ends it."""

import dataclasses

import numpy as np
import pytest
from loop_parts import (
    PICK,
    SPEC,
    TASK,
    CountingBody,
    Plans,
    Recorder,
    TroubledPolicy,
    codes,
    run,
)

from tandem.agent.clock import Charged
from tandem.agent.loop import Agent
from tandem.agent.recover import Limits
from tandem.bridge.conformance import DummyBody, DummyPlanner, DummyPolicy, DummyVerifier
from tandem.bridge.contract import (
    SKILLS,
    ActionKind,
    BodyUnresponsive,
    Event,
    EventKind,
    FailureCode,
    InvalidOption,
    LogUnwritable,
    Outcome,
    PhysicsDiverged,
    PlannerFailed,
    Verdict,
)


def test_subscribers_hear_everything_in_order():
    _, heard = run()
    subgoal = ["subgoal_start", *["step"] * 8, "subgoal_end"]
    assert heard.heard == ["start", "plan", *subgoal, *subgoal, "plan", "end"]
    kinds = (EventKind.PLAN, EventKind.SUBGOAL_START, EventKind.SUBGOAL_END)
    plan, start, end = (heard.of(kind)[0].data for kind in kinds)
    assert plan["latency_s"] >= 0
    assert len(plan["subgoals"]) == 2
    assert (start["index"], start["of"], start["skill"]) == (0, 2, "pick")
    assert end["claimed"]
    assert end["seen"]["outcome"] == "success"


def test_the_same_seed_gives_the_same_episode():
    traces = [[step.observation["joint_position"] for step in run()[1].steps] for _ in range(2)]
    assert np.array_equal(*traces)


def test_a_policy_that_never_claims_runs_out_of_body_time():
    slow = dataclasses.replace(PICK, timeout_s=0.5)
    endless, limits = DummyPolicy(SPEC, chunks=10**9), Limits(retries=1, replans=0)
    result, _ = run(planner=DummyPlanner([slow]), policy=endless, limits=limits)
    assert codes(result) == ["TIMEOUT", "TIMEOUT"]
    assert [round(attempt.end_s - attempt.start_s, 6) for attempt in result.attempts] == [0.5, 0.5]
    assert (result.claimed, result.failure) == (False, FailureCode.BUDGET_EXHAUSTED)


def test_a_planner_that_fails_ends_the_episode_with_its_code():
    result, _ = run(planner=Plans(PlannerFailed("the reply was empty")))
    assert (result.claimed, result.failure, result.reason) == (False, "PLANNER_FAILED", "the reply was empty")


class ForgedPolicy(DummyPolicy):
    """Changes its first chunk."""

    def __init__(self, change):
        super().__init__(SPEC)
        self.change = change

    def infer(self, observation, subgoal):
        return self.change(super().infer(observation, subgoal))


def poisoned(chunk):
    actions = chunk.actions.copy()
    actions[2, 1] = np.nan  # past the checks of the constructor, as shared memory or a bug might put it there
    object.__setattr__(chunk, "actions", actions)
    return chunk


BAD_CHUNKS = {
    "older epoch": lambda chunk: dataclasses.replace(chunk, epoch=chunk.epoch - 1),
    "wrong rate": lambda chunk: dataclasses.replace(chunk, dt_s=0.1),
    "wrong size": lambda chunk: dataclasses.replace(chunk, actions=chunk.actions[:, :-1]),
    "out of bounds": lambda chunk: dataclasses.replace(chunk, actions=chunk.actions + [0, 0, 5, 0]),
    "not a number": poisoned,
}


@pytest.mark.parametrize("change", BAD_CHUNKS.values(), ids=BAD_CHUNKS)
def test_a_bad_chunk_is_never_carried_out(change):
    body = CountingBody()
    result, _ = run(body, policy=ForgedPolicy(change))
    assert body.asked == 0
    assert (result.claimed, result.failure) == (False, "INVALID_ACTION")
    assert codes(result) == ["INVALID_ACTION"]


def test_a_charged_clock_holds_for_its_time_and_stays_deterministic():
    (result, heard), (again, _) = run(clock=Charged(120)), run(clock=Charged(120))
    thoughts = heard.of(EventKind.THINKING)
    assert [event.data["what"] for event in thoughts] == ["planner", *["policy", "policy", "verifier"] * 2, "planner"]
    assert {event.data["charged_steps"] for event in thoughts} == {3}  # 120 ms at 20 Hz
    assert sum(step.held for step in heard.steps) == 3 * len(thoughts)
    assert result.claimed
    assert (result.steps, result.body_s) == (again.steps, again.body_s)


def test_before_the_first_action_the_body_holds_where_it_stands():
    _, heard = run(clock=Charged(50))
    first = heard.steps[0]
    assert first.held
    assert np.array_equal(first.command[:-1], first.before["joint_position"])
    later = next(step for step in heard.steps[2:] if step.held)
    assert np.array_equal(later.command, heard.steps[later.index - 1].command)


@pytest.mark.parametrize(("trouble", "code"), [
    (KeyboardInterrupt(), "INTERRUPTED"), (ConnectionError("cable"), "BODY_UNRESPONSIVE"),
    (BodyUnresponsive("silence"), "BODY_UNRESPONSIVE"),
    (PhysicsDiverged("nan in qacc"), "PHYSICS_DIVERGED"),
], ids=str)
def test_trouble_in_a_step_ends_the_episode_and_nothing_moves_after_it(trouble, code):
    body = CountingBody(5, trouble)
    result, heard = run(body, score=lambda: (False, 0.25))
    assert (result.claimed, result.failure, result.steps) == (False, code, 4)
    assert body.asked == 5
    assert codes(result) == [code]
    assert heard.heard[-2:] == ["failure", "end"]
    assert heard.result is result
    assert result.measured is (False if code == "INTERRUPTED" else None)  # the others are not to be asked


def test_an_interrupt_while_planning_ends_the_episode():
    class Interrupted:
        def plan(self, request):
            raise KeyboardInterrupt

    result, heard = run(planner=Interrupted())
    assert result.failure == "INTERRUPTED"
    assert heard.heard == ["start", "failure", "end"]


def test_a_body_that_never_resets_gives_a_result():
    class Dead(DummyBody):
        def reset(self, **_):
            raise BodyUnresponsive("nobody there")

    result, heard = run(Dead(), score=lambda: (True, 1.0))
    assert (result.failure, result.steps, result.measured) == ("BODY_UNRESPONSIVE", 0, None)
    assert heard.heard == []  # nothing began


@pytest.mark.parametrize(("key", "value", "code"), [
    ("joint_position", np.full(3, np.nan), "INVALID_OBSERVATION"), ("tool_pose", np.zeros(7), "INVALID_OBSERVATION"),
    ("time", np.zeros(1), "STALE_OBSERVATION"),
])
def test_an_observation_that_cannot_be_trusted_stops_the_body(key, value, code):
    class Lying(CountingBody):
        def step(self, action):
            observation, *rest = super().step(action)
            return ({**observation, key: value} if self.asked >= 3 else observation), *rest

    body = Lying()
    result, _ = run(body)
    assert (result.claimed, result.failure) == (False, code)
    assert body.asked <= 4


def test_a_body_that_ends_the_episode_is_obeyed():
    class Short(CountingBody):
        def step(self, action):
            observation, reward, *_ = super().step(action)
            return observation, reward, True, self.asked == 3, {}

    result, heard = run(Short())
    assert (result.failure, result.steps, len(heard.steps)) == ("BUDGET_EXHAUSTED", 1, 1)


def test_steps_are_bounded():
    body = CountingBody()
    result, _ = run(body, limits=Limits(steps=11))
    assert (result.failure, body.asked) == ("BUDGET_EXHAUSTED", 11)


class FullDisk(Recorder):
    """A log that fails at its n-th message."""

    def __init__(self, at):
        super().__init__()
        self.at = at

    def on_step(self, step):
        super().on_step(step)
        if len(self.steps) >= self.at:
            raise LogUnwritable("no space left on device")


def test_a_full_disk_ends_the_episode_and_everybody_hears_why():
    log, other, body = FullDisk(3), Recorder(), CountingBody()
    result, _ = run(body, subscribers=[log, other])
    assert (result.claimed, result.failure, body.asked) == (False, "LOG_UNWRITABLE", 3)
    assert len(other.steps) == 3
    assert other.heard[-2:] == ["failure", "end"]
    assert log.heard[-2:] == ["step", "end"]


def test_a_log_that_cannot_be_finished_is_a_failure():
    class Unfinished(Recorder):
        def on_episode_end(self, result):
            raise LogUnwritable("no space left on device")

    last = Recorder()
    result, _ = run(subscribers=[Unfinished(), last])
    assert (result.claimed, result.failure) == (False, "LOG_UNWRITABLE")
    assert last.heard[-1] == "end"


def test_a_mistake_in_a_program_is_raised_after_the_end_was_told():
    class Broken(DummyPolicy):
        def infer(self, observation, subgoal):
            return {}["chunk"]

    recorder = Recorder()
    agent = Agent(DummyBody(SPEC), DummyPlanner(TASK), Broken(SPEC), DummyVerifier(), subscribers=[recorder])
    with pytest.raises(KeyError, match="chunk"):
        agent.run("go", seed=1)
    assert recorder.heard[-1] == "end"
    assert not recorder.result.claimed
    assert "KeyError" in recorder.result.reason
    assert recorder.result.failure == "INTERNAL_ERROR"


def test_the_first_mistake_is_raised_whatever_breaks_at_the_end_because_of_it():
    class Broken(Recorder):
        def on_episode_start(self, start):
            raise KeyError("first")

        def on_episode_end(self, result):
            raise AttributeError("because of that")

    later = Recorder()
    with pytest.raises(KeyError, match="first"):
        run(subscribers=[Broken(), later])
    assert later.heard == [], "who did not hear it begin hears nothing of it"


def test_a_skill_that_is_not_offered_never_moves_anything():
    body = CountingBody()
    policy = DummyPolicy(SPEC, skills={"home": SKILLS["home"]})
    result, _ = run(body, planner=Plans(TASK), policy=policy)
    assert (result.claimed, body.asked) == (False, 0)
    assert set(codes(result)) == {"PLANNER_FAILED"}


def test_a_policy_for_another_layout_may_not_drive():
    class Other(DummyPolicy):
        action_kind = ActionKind.CUSTOM

    body = CountingBody()
    result, _ = run(body, policy=Other(SPEC))
    assert (result.failure, body.asked) == ("SPEC_MISMATCH", 0)


def test_a_layout_of_the_same_size_whose_numbers_mean_something_else_is_never_sent_a_pose():
    """Joint velocities, say: the pose in which the arm stands would set it moving."""
    class Other(DummyPolicy):
        action_kind = ActionKind.CUSTOM

    class Velocities(CountingBody):
        def __init__(self):
            super().__init__()
            self.spec = dataclasses.replace(SPEC, action=dataclasses.replace(SPEC.action, kind=ActionKind.CUSTOM))

    body = Velocities()
    result, _ = run(body, policy=Other(SPEC), clock=Charged(100))
    assert (result.failure, body.asked) == ("SPEC_MISMATCH", 0)
    assert "no command that stands still" in result.reason


def test_a_body_that_ended_the_episode_is_not_moved_again():
    """It ends while the arm steps out of the view, which an episode otherwise goes on without."""
    class Ending(CountingBody):
        def step(self, action):
            observation, reward, _, truncated, info = super().step(action)
            return observation, reward, self.asked >= 3, truncated, info

    body, policy = Ending(), TroubledPolicy(pick=[FailureCode.OBJECT_NOT_FOUND])
    result, _ = run(body, planner=Plans(TASK, TASK, ()), policy=policy)
    assert [subgoal.skill for subgoal in policy.tried] == ["pick", "home", "pick"]
    assert body.asked == 3
    assert (result.claimed, result.failure) == (False, FailureCode.BUDGET_EXHAUSTED)
    assert "the body ended the episode" in result.reason


def test_the_command_after_safety_is_told():
    class Safe(DummyBody):
        def step(self, action):
            *rest, info = super().step(action)
            return *rest, {**info, "command": action * 0.5}

    _, heard = run(Safe(SPEC))
    assert all(np.array_equal(step.command, step.action * 0.5) for step in heard.steps)


def test_a_chunk_may_be_one_action():
    result, _ = run(policy=DummyPolicy(SPEC, chunks=1, horizon=1))
    assert (result.claimed, result.steps) == (True, 2)


def test_a_body_with_a_task_may_tell_the_instruction_itself():
    class Tasked(DummyBody):
        def reset(self, *, seed=None, options=None):
            observation, info = super().reset(seed=seed, options=options)
            return observation, {**info, "instruction": "tidy up"}

    planner = Plans(())
    Agent(Tasked(SPEC), planner, DummyPolicy(SPEC), DummyVerifier()).run(seed=0)
    assert planner.requests[0].instruction == "tidy up"
    with pytest.raises(InvalidOption, match="no instruction"):
        Agent(DummyBody(SPEC), planner, DummyPolicy(SPEC), DummyVerifier()).run(seed=0)


def test_what_a_body_reports_is_heard_after_its_step():
    class Shaken(DummyBody):
        def step(self, action):
            agent.notice(Event(EventKind.DISTURBANCE, 0.0, "somebody pushed the table"))
            return super().step(action)

    recorder = Recorder()
    body = Shaken(SPEC)
    agent = Agent(body, DummyPlanner(TASK), DummyPolicy(SPEC), DummyVerifier(), subscribers=(recorder,))
    agent.run("put the red cube in the blue bin", seed=0)
    first = recorder.heard.index("step")
    assert recorder.heard[first + 1] == "disturbance"
    assert recorder.heard.count("disturbance") == recorder.heard.count("step")


CALL = {"kind": "judge", "reply": "it is hard to say"}


class Asks(DummyVerifier):
    """Judges by asking a model, and is sure only at the second look."""

    looks = 0

    def verify(self, subgoal, before, after):
        self.looks += 1
        outcome = Outcome.SUCCESS if self.looks > 1 else Outcome.INCONCLUSIVE
        return Verdict(outcome, "as the model says", calls=(CALL,))


def test_exchanges_with_a_model_are_kept_for_every_look():
    _, heard = run(verifier=Asks())
    kept = heard.of(EventKind.CALLS)
    assert [(event.data["what"], event.data["calls"]) for event in kept] == [("verifier", [CALL])] * 3
    assert "inconclusive" in kept[0].message
    assert "success" in kept[1].message


def test_exchanges_of_a_planner_that_fails_are_kept():
    result, heard = run(planner=Plans(PlannerFailed("it said nothing", [{"kind": "plan", "reply": ""}])))
    assert result.failure is FailureCode.PLANNER_FAILED
    assert result.steps == 0
    assert heard.heard == ["start", "calls", "failure", "end"]
    assert heard.of(EventKind.CALLS)[0].data == {"what": "planner", "calls": [{"kind": "plan", "reply": ""}]}
