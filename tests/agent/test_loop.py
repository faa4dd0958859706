"""Whole episodes on dummies: what the agent does, in which order, and what it claims."""

import dataclasses
import itertools

import numpy as np
import pytest

from tandem.agent.clock import Charged
from tandem.agent.loop import Agent
from tandem.agent.recover import UNCERTAIN, Limits
from tandem.agent.verify.trusting import TrustingVerifier
from tandem.bridge.conformance import DummyBody, DummyPlanner, DummyPolicy, DummyVerifier, dummy_spec
from tandem.bridge.contract import (
    SKILLS,
    ActionKind,
    BodyUnresponsive,
    CameraPoint,
    Event,
    EventKind,
    FailureCode,
    InvalidOption,
    LogUnwritable,
    Outcome,
    PhysicsDiverged,
    Plan,
    PlannerFailed,
    SkillFailed,
    Subgoal,
    Verdict,
)

SPEC = dummy_spec()
PICK, PLACE = Subgoal("pick", {"object": "red cube"}), Subgoal("place", {"target": "blue bin"})
TASK = (PICK, PLACE)


class Recorder:
    """Writes down what a subscriber hears."""

    def __init__(self):
        self.heard, self.steps, self.events = [], [], []

    def on_episode_start(self, start):
        self.heard.append("start")

    def on_step(self, step):
        self.heard.append("step")
        self.steps.append(step)

    def on_event(self, event):
        self.heard.append(str(event.kind))
        self.events.append(event)

    def on_episode_end(self, result):
        self.heard.append("end")
        self.result = result

    def of(self, kind):
        return [event for event in self.events if event.kind is kind]


class CountingBody(DummyBody):
    """Runs `trouble` before the n-th step, and counts the steps asked for."""

    def __init__(self, at=10**9, trouble=None):
        super().__init__(SPEC)
        self.asked, self.at, self.trouble = 0, at, trouble

    def step(self, action):
        self.asked += 1
        if self.asked >= self.at:
            raise self.trouble
        return super().step(action)


class TroubledPolicy(DummyPolicy):
    """Fails with the next of the given codes at each attempt of a skill; None is an attempt without trouble."""

    def __init__(self, **codes):
        super().__init__(SPEC)
        self.codes, self.tried = {skill: iter(code) for skill, code in codes.items()}, []

    def infer(self, observation, subgoal):
        if self._calls == 0:
            self.tried.append(subgoal)
            code = next(self.codes.get(subgoal.skill, iter(())), None)
            if code is not None:
                raise SkillFailed(code, "as the test asks")
        return super().infer(observation, subgoal)


class PlannedVerifier(DummyVerifier):
    """Gives the next outcome for a skill at each look, the last one for ever."""

    def __init__(self, **outcomes):
        super().__init__()
        self.outcomes = {skill: list(given) for skill, given in outcomes.items()}

    def verify(self, subgoal, before, after):
        left = self.outcomes.get(subgoal.skill, [Outcome.SUCCESS])
        return Verdict(left.pop(0) if len(left) > 1 else left[0], "as the test asks")


class Plans:
    """Gives the next plan, the last one for ever."""

    def __init__(self, *plans):
        self.plans, self.requests = list(plans), []

    def plan(self, request):
        self.requests.append(request)
        answer = self.plans.pop(0) if len(self.plans) > 1 else self.plans[0]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Plan) else Plan(answer)


def run(body=None, planner=None, policy=None, verifier=None, subscribers=(), **more):
    recorder = Recorder()
    agent = Agent(
        body or DummyBody(SPEC), planner or DummyPlanner(TASK), policy or DummyPolicy(SPEC),
        verifier or DummyVerifier(), subscribers=(recorder, *subscribers), **more,
    )
    return agent.run("put the red cube in the blue bin", seed=3), recorder


def codes(result):
    return [attempt.failure for attempt in result.attempts]


def test_success_is_claimed_seen_and_measured_side_by_side():
    result, heard = run(measure=lambda subgoal: False, score=lambda: (False, 0.5))
    assert result.claimed
    assert result.seen
    assert result.measured is False
    assert result.false_success  # ground truth stands beside the claim and changes nothing of it
    assert result.progress == 0.5
    assert [attempt.measured for attempt in result.attempts] == [False, False]
    assert result.failure is None
    assert result.plans == 2  # the second asks whether anything is left
    assert result.steps == len(heard.steps) == 16
    assert [step.index for step in heard.steps] == list(range(16))
    assert [step.subgoal for step in heard.steps] == [0] * 8 + [1] * 8


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


def test_a_failed_grasp_is_tried_again():
    result, heard = run(policy=TroubledPolicy(pick=[FailureCode.GRASP_FAILED]))
    assert result.claimed
    assert codes(result) == ["GRASP_FAILED", None, None]
    assert [event.data["action"] for event in heard.of(EventKind.RECOVERY)] == ["retry"]


def test_every_attempt_is_a_new_epoch():
    class Epochs(TroubledPolicy):
        seen = []

        def reset(self, epoch):
            self.seen.append(epoch)
            super().reset(epoch)

    run(policy=Epochs(pick=[FailureCode.GRASP_FAILED]))
    assert Epochs.seen[1:] == [1, 2, 3]  # 0 is the constructor's


def test_a_lost_object_backs_up_to_its_pick_without_the_old_point():
    pick = Subgoal("pick", {"object": "red cube", "point": CameraPoint("front", 3, 4)})
    policy = TroubledPolicy(place=[FailureCode.OBJECT_LOST])
    verifier = PlannedVerifier(
        pick=[Outcome.SUCCESS, Outcome.FAILURE, Outcome.SUCCESS], place=[Outcome.FAILURE, Outcome.SUCCESS]
    )
    result, heard = run(planner=Plans((pick, PLACE), ()), policy=policy, verifier=verifier)
    assert result.claimed
    assert [attempt.subgoal.skill for attempt in result.attempts] == ["pick", "place", "pick", "place"]
    assert [subgoal.skill for subgoal in policy.tried] == ["pick", "place", "home", "pick", "place"]
    assert "point" in policy.tried[0].arguments
    assert "point" not in policy.tried[3].arguments  # the cube has been moved since the point was taken
    assert heard.of(EventKind.RECOVERY)[0].data["action"] == "back_up"


def test_an_arm_that_left_its_rest_pose_is_no_lasting_work_undone():
    """The plan begins at rest; the cube is lost on its way, and to pick it again needs no new plan."""
    rest = Subgoal("home")
    undone = [Outcome.SUCCESS, Outcome.FAILURE, Outcome.SUCCESS]
    verifier = PlannedVerifier(home=[*undone], pick=undone, place=[Outcome.FAILURE, Outcome.SUCCESS])
    policy = TroubledPolicy(place=[FailureCode.OBJECT_LOST])
    result, _ = run(planner=Plans((rest, *TASK), ()), policy=policy, verifier=verifier)
    assert [attempt.subgoal.skill for attempt in result.attempts] == ["home", "pick", "place"] * 2
    assert (result.claimed, result.plans) == (True, 2)
    last, _ = run(planner=Plans((*TASK, rest), ()), verifier=PlannedVerifier(home=[Outcome.FAILURE]))
    assert not last.claimed, "at the end it is to be seen"


@pytest.mark.parametrize("code", sorted(UNCERTAIN))
def test_what_an_empty_hand_let_go_is_looked_at_again_without_the_arm_before_it(code):
    policy = TroubledPolicy(place=[code])
    planner = Plans((PICK, PLACE, PICK), ())
    result, heard = run(planner=planner, policy=policy)
    assert [subgoal.skill for subgoal in policy.tried] == ["pick", "place", "home", "pick"]
    placed = result.attempts[1]
    assert (placed.claimed, placed.failure, placed.seen.outcome) == (False, None, Outcome.SUCCESS)
    assert placed.detail.startswith("as the test asks; but from afar: ")
    assert not heard.of(EventKind.RECOVERY)
    assert placed.end_s < result.attempts[2].start_s
    assert {step.subgoal for step in heard.steps if placed.end_s < step.observation["time"][0] <=
            result.attempts[2].start_s} == {-1}


def test_an_attempt_after_which_the_body_fails_on_its_way_back_is_recorded():
    class Stops(TroubledPolicy):
        def infer(self, observation, subgoal):
            if subgoal.skill == "home":
                raise BodyUnresponsive("gone")
            return super().infer(observation, subgoal)

    result, heard = run(planner=Plans(TASK, ()), policy=Stops(place=[FailureCode.OBJECT_LOST]))
    assert codes(result) == [None, FailureCode.BODY_UNRESPONSIVE]
    assert result.attempts[1].detail == "as the test asks; then gone"
    assert (result.claimed, result.failure) == (False, FailureCode.BODY_UNRESPONSIVE)
    assert len(heard.of(EventKind.SUBGOAL_END)) == 2


@pytest.mark.parametrize(("opening", "code"), [(0.5, FailureCode.TIMEOUT), (1.0, FailureCode.UNREACHABLE)])
def test_what_is_still_in_the_hand_or_was_never_begun_is_not_looked_at_again(opening, code):
    class Holding(DummyBody):
        def step(self, action):
            observation, *rest = super().step(action)
            return {**observation, "gripper_opening": np.array([opening])}, *rest

    policy = TroubledPolicy(place=[code])
    result, _ = run(body=Holding(SPEC), planner=Plans(TASK, ()), policy=policy, limits=Limits(replans=0))
    assert codes(result)[:2] == [None, code], "the verifier would have seen it done"


def test_backing_up_stops_at_the_last_criterion_that_holds():
    plan = (PICK, PLACE, Subgoal("press", {"target": "button"}))
    verifier = PlannedVerifier(place=[Outcome.SUCCESS, Outcome.INCONCLUSIVE], press=[Outcome.FAILURE, Outcome.SUCCESS])
    result, _ = run(planner=Plans(plan, ()), verifier=verifier)
    assert [attempt.subgoal.skill for attempt in result.attempts] == ["pick", "place", "press", "press"]
    assert result.claimed


def test_lasting_work_that_was_undone_is_planned_anew():
    plan = (PICK, PLACE, Subgoal("press", {"target": "button"}))
    verifier = PlannedVerifier(
        place=[Outcome.SUCCESS, Outcome.FAILURE, Outcome.SUCCESS], press=[Outcome.FAILURE, Outcome.SUCCESS]
    )
    planner = Plans(plan, plan, ())
    result, _ = run(planner=planner, verifier=verifier)
    assert [attempt.subgoal.skill for attempt in result.attempts] == ["pick", "place", "press"] * 2
    assert result.claimed


def test_what_was_seen_undone_on_looking_back_is_not_claimed():
    """Placing b knocks a off; the planner finds nothing left to do, and b is seen done after all."""
    first, second = [(Subgoal("pick", {"object": name}), Subgoal("place", {"object": name, "target": "tray"}))
                     for name in "ab"]
    knocked = []

    class Verifier(DummyVerifier):
        def verify(self, subgoal, before, after):
            knocked.extend([subgoal] if subgoal == second[1] else [])
            undone = (subgoal in (first[1], second[0]) and knocked) or (subgoal == second[1] and len(knocked) < 3)
            return Verdict(Outcome.FAILURE if undone else Outcome.SUCCESS, "as the test asks")

    result, _ = run(planner=Plans((*first, *second), ()), verifier=Verifier())
    assert not result.claimed
    assert not result.seen


PRESS, REST = Subgoal("press", {"target": "button"}), Subgoal("home")
ELSEWHERE = (Subgoal("pick", {"object": "cube"}), Subgoal("place", {"object": "cube", "target": "shelf"}))


@pytest.mark.parametrize(("plans", "claimed"), [
    (((PICK, PLACE, PRESS), ()), False),
    (((PICK, PLACE, PRESS), (REST,), ()), False),
    (((PICK, PLACE, PRESS), ELSEWHERE, ()), False),
    (((PICK, PLACE, PRESS), (REST,), ELSEWHERE, (REST,), ()), False),
    (((PRESS, PICK, PLACE), (PICK, PLACE), (PRESS,), ()), True),  # taken up again, and seen done then
    (((PRESS, PICK, PLACE), (REST,), ()), False),  # with the rest of the plan, which was never begun
])
def test_what_failed_is_not_forgotten_with_its_plan(plans, claimed):
    """A planner that drops it believes that it is done: that must be seen."""
    verifier = PlannedVerifier(press=[Outcome.FAILURE, *[Outcome.SUCCESS] * claimed])
    result, _ = run(planner=Plans(*plans), verifier=verifier, limits=Limits(retries=0, back_ups=0, replans=8))
    assert (result.claimed, result.seen) == (claimed, claimed), result.reason


def test_what_was_dropped_is_looked_at_once_more_before_it_is_claimed():
    verifier = PlannedVerifier(press=[Outcome.FAILURE, Outcome.SUCCESS])
    result, heard = run(
        planner=Plans((PICK, PLACE, PRESS), ELSEWHERE, ()), verifier=verifier, limits=Limits(retries=0, back_ups=0))
    assert (result.claimed, result.seen) == (True, True)
    assert any("last look at press(button)" in event.message for event in heard.of(EventKind.NOTE))


def test_a_planner_may_change_its_mind_about_the_same_thing():
    verifier = PlannedVerifier(place=[Outcome.FAILURE, Outcome.SUCCESS])
    other = Subgoal("place", {"object": PICK.arguments["object"], "target": "shelf"})
    result, _ = run(planner=Plans(TASK, (PICK, other), ()), verifier=verifier, limits=Limits(retries=0, back_ups=0))
    assert result.claimed


def test_a_precondition_that_no_earlier_step_brings_is_planned_anew():
    planner = Plans(TASK, (PLACE,), ())  # the gripper holds the cube already, says the second plan
    result, _ = run(planner=planner, policy=TroubledPolicy(pick=[FailureCode.PRECONDITION_FAILED]))
    assert codes(result) == ["PRECONDITION_FAILED", None]
    assert result.claimed


def test_replans_are_bounded_and_carry_the_failure():
    planner = Plans(TASK)
    policy = TroubledPolicy(pick=itertools.repeat(FailureCode.OBJECT_NOT_FOUND))
    result, _ = run(planner=planner, policy=policy, limits=Limits(replans=2))
    assert (result.claimed, result.failure) == (False, FailureCode.BUDGET_EXHAUSTED)
    assert result.plans == 3
    assert codes(result) == ["OBJECT_NOT_FOUND"] * 3
    assert [len(request.history) for request in planner.requests] == [0, 1, 2]
    assert planner.requests[-1].history[-1].failure == "OBJECT_NOT_FOUND"


def test_a_planner_is_told_no_ground_truth():
    planner = Plans(TASK, ())
    result, _ = run(planner=planner, measure=lambda subgoal: True)
    assert [attempt.measured for attempt in result.attempts] == [True, True]
    assert [attempt.measured for attempt in planner.requests[-1].history] == [None, None]


def test_an_empty_plan_at_the_start_is_no_success():
    body = CountingBody()
    result, _ = run(body, planner=Plans(()), score=lambda: (False, 0.0))
    assert (result.claimed, result.failure, result.seen, body.asked) == (False, "PLANNER_FAILED", None, 0)


def test_a_verifier_watches_every_step_of_a_subgoal():
    class Watching(DummyVerifier):
        seen = ()

        def watch(self, observation):
            self.seen = (*self.seen, float(observation["time"][0]))

    verifier = Watching()
    _, heard = run(verifier=verifier)
    assert list(verifier.seen) == [float(step.observation["time"][0]) for step in heard.steps]


def test_a_verifier_forgets_between_episodes():
    class Forgetful(DummyVerifier):
        resets = 0

        def reset(self):
            self.resets += 1

    verifier = Forgetful()
    agent = Agent(DummyBody(SPEC), DummyPlanner(TASK), DummyPolicy(SPEC), verifier)
    for seed in (1, 2):
        agent.run("go", seed=seed)
    assert verifier.resets == 2


def test_a_subgoal_that_was_undone_is_seen_by_the_last_look():
    result, _ = run(planner=Plans(TASK, TASK, ()))
    assert result.claimed
    assert len(result.attempts) == 4
    endless, _ = run(planner=Plans(TASK), limits=Limits(replans=3))  # every last look finds more to do
    assert (endless.claimed, endless.failure, endless.plans) == (False, FailureCode.BUDGET_EXHAUSTED, 5)


@pytest.mark.parametrize("outcome", [Outcome.FAILURE, Outcome.INCONCLUSIVE])
@pytest.mark.parametrize("plans", [(TASK, ()), (TASK,)], ids=["planner is content", "planner wants more"])
def test_only_what_is_seen_becomes_success(outcome, plans):
    verifier = PlannedVerifier(place=[outcome])
    result, _ = run(planner=Plans(*plans), verifier=verifier, limits=Limits(replans=2, steps=2000))
    assert not result.claimed
    assert result.seen is False
    assert set(codes(result)) <= {None, "CRITERION_NOT_MET"}
    assert all(attempt.failure for attempt in result.attempts if attempt.seen.outcome is not Outcome.SUCCESS)


def test_an_inconclusive_verifier_may_look_once_more():
    verifier = PlannedVerifier(pick=[Outcome.INCONCLUSIVE, Outcome.SUCCESS])
    result, heard = run(verifier=verifier)
    assert result.claimed
    assert codes(result) == [None, None]
    assert [step.phase for step in heard.steps if step.held] == ["look again"] * 10


def test_a_late_sight_lets_the_agent_claim_when_nothing_is_left():
    verifier = PlannedVerifier(place=[Outcome.FAILURE, Outcome.FAILURE, Outcome.SUCCESS])
    result, _ = run(planner=Plans(TASK, ()), verifier=verifier, limits=Limits(back_ups=0))
    assert result.claimed
    assert codes(result) == [None, "CRITERION_NOT_MET"]


@pytest.mark.parametrize("mute", ["measure", "score"])
def test_ground_truth_that_cannot_be_asked_changes_no_episode(mute):
    def ask(*_):
        raise BodyUnresponsive("nobody answers")

    truth = {"measure": lambda subgoal: True, "score": lambda: (True, 1.0)} | {mute: ask}
    result, recorder = run(privileged=True, **truth)
    assert result.claimed
    assert recorder.result == result
    assert result.measured is (None if mute == "score" else True)
    assert [attempt.measured for attempt in result.attempts] == [None if mute == "measure" else True] * 2
    assert any("nobody answers" in event.message for event in recorder.of(EventKind.NOTE))


def test_what_nobody_looked_at_is_claimed_but_not_seen():
    result, _ = run(verifier=TrustingVerifier())
    assert result.claimed
    assert result.seen is None
    assert all(attempt.seen is None for attempt in result.attempts)
    assert "nobody verified" in result.reason


def test_an_infeasible_instruction_ends_with_the_reason():
    body = CountingBody()
    result, heard = run(body, planner=Plans(Plan((), feasible=False, reason="there is no red cube")))
    assert (result.infeasible, result.claimed, result.failure) == (True, False, "INFEASIBLE")
    assert result.reason == "there is no red cube"
    assert body.asked == 0
    assert heard.of(EventKind.FAILURE)[0].data["code"] == "INFEASIBLE"


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


def test_a_subgoal_that_cannot_be_begun_is_planned_anew():
    nowhere = Subgoal("pick", {"object": "red cube", "point": CameraPoint("front", 9999, 0)})
    body, planner = CountingBody(), Plans((nowhere,), Plan((), feasible=False, reason="it is gone"))
    result, _ = run(body, planner=planner)
    assert body.asked == 0
    assert result.infeasible
    assert planner.requests[1].history[0].failure == "PLANNER_FAILED"
    assert "9999" in planner.requests[1].history[0].detail


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


def test_a_camera_that_comes_back_is_waited_for():
    class Blinking(DummyBody):
        def step(self, action):
            observation, *rest = super().step(action)
            return self.dark(observation), *rest

        def reset(self, **options):
            observation, info = super().reset(**options)
            return self.dark(observation), info

        def dark(self, observation):
            picture = np.array(observation["image.front"]) * (observation["time"][0] > 0.4)
            return {**observation, "image.front": picture.astype(np.uint8)}

    pick = Subgoal("pick", {"object": "red cube", "point": CameraPoint("front", 3, 4)})
    result, _ = run(Blinking(SPEC), planner=Plans((pick,), ()))
    assert result.claimed
    assert codes(result) == ["STALE_OBSERVATION", None]


def test_ground_truth_is_confessed():
    assert not run()[0].privileged
    assert run(privileged=True)[0].privileged
    assert run(planner=Plans(Plan(TASK, privileged=True), ()))[0].privileged
    verifier = DummyVerifier()
    verifier.privileged = True
    assert run(verifier=verifier)[0].privileged


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


def test_before_planning_again_the_arm_steps_out_of_the_view():
    planner, policy = Plans(TASK, TASK, ()), TroubledPolicy(pick=[FailureCode.OBJECT_NOT_FOUND])
    result, _ = run(planner=planner, policy=policy)
    assert [subgoal.skill for subgoal in policy.tried] == ["pick", "home", "pick", "place"]
    assert result.claimed
    assert [attempt.subgoal.skill for attempt in result.attempts] == ["pick", "pick", "place"]


def test_an_arm_that_cannot_step_back_plans_all_the_same():
    policy = TroubledPolicy(pick=[FailureCode.OBJECT_NOT_FOUND], home=[FailureCode.COLLISION])
    result, recorder = run(planner=Plans(TASK, TASK, ()), policy=policy)
    assert result.claimed
    assert any("cannot step back" in event.message for event in recorder.events)


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


def test_whether_it_can_be_done_is_asked_of_the_world_after_the_reset():
    class Fresh(DummyBody):
        began = False

        def reset(self, *, seed=None, options=None):
            self.began = True
            return super().reset(seed=seed, options=options)

    body = Fresh(SPEC)
    impossible = Plans(Plan((), feasible=False, reason="there is no red cube"))
    agent = Agent(body, impossible, DummyPolicy(SPEC), DummyVerifier(), feasible=lambda: not body.began)
    assert agent.run("put the red cube in the blue bin", seed=0).success


def test_what_failed_twice_without_moving_is_not_tried_a_third_time():
    policy = TroubledPolicy(pick=itertools.repeat(FailureCode.GRASP_FAILED))
    result, _ = run(policy=policy, planner=Plans(TASK), limits=Limits(retries=5, replans=0))
    assert [attempt.subgoal.skill for attempt in result.attempts] == ["pick", "pick"]
    assert result.failure == FailureCode.BUDGET_EXHAUSTED


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


def test_for_a_planner_that_looks_the_arm_steps_out_of_the_view_before_every_later_plan():
    planner, policy = Plans(TASK, ()), TroubledPolicy()
    planner.looks = True
    result, _ = run(planner=planner, policy=policy)
    assert [subgoal.skill for subgoal in policy.tried] == ["pick", "place", "home"]
    assert result.claimed
    assert len(result.attempts) == 2
