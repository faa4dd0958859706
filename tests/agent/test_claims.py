"""What an agent may claim: what was seen, never what was only said, planned or believed."""

import pytest
from loop_parts import PICK, PLACE, SPEC, TASK, CountingBody, PlannedVerifier, Plans, TroubledPolicy, codes, run

from tandem.agent.loop import Agent
from tandem.agent.recover import Limits
from tandem.agent.verify.trusting import TrustingVerifier
from tandem.bridge.conformance import DummyBody, DummyPlanner, DummyPolicy, DummyVerifier
from tandem.bridge.contract import (
    BodyUnresponsive,
    EventKind,
    FailureCode,
    Outcome,
    Plan,
    Subgoal,
    Verdict,
)


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


def test_to_plan_it_once_more_and_never_begin_it_settles_nothing():
    plans = Plans((PRESS,), (*ELSEWHERE, PRESS), TASK, ())
    policy, verifier = TroubledPolicy(pick=[FailureCode.OBJECT_NOT_FOUND]), PlannedVerifier(press=[Outcome.FAILURE])
    result, _ = run(planner=plans, policy=policy, verifier=verifier, limits=Limits(retries=0, back_ups=0))
    assert codes(result) == ["CRITERION_NOT_MET", "OBJECT_NOT_FOUND", None, None]
    assert (result.claimed, result.seen) == (False, False), result.reason


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


def test_ground_truth_is_confessed():
    assert not run()[0].privileged
    assert run(privileged=True)[0].privileged
    assert run(planner=Plans(Plan(TASK, privileged=True), ()))[0].privileged
    verifier = DummyVerifier()
    verifier.privileged = True
    assert run(verifier=verifier)[0].privileged


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
