"""What an agent does about a failure: again, back to what still holds, a new plan, and an end to all of it."""

import itertools

import numpy as np
import pytest
from loop_parts import PICK, PLACE, SPEC, TASK, CountingBody, PlannedVerifier, Plans, TroubledPolicy, codes, run

from tandem.agent.recover import UNCERTAIN, Limits
from tandem.bridge.conformance import DummyBody
from tandem.bridge.contract import (
    BodyUnresponsive,
    CameraPoint,
    EventKind,
    FailureCode,
    Outcome,
    Plan,
    Subgoal,
)


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


def test_a_subgoal_that_cannot_be_begun_is_planned_anew():
    nowhere = Subgoal("pick", {"object": "red cube", "point": CameraPoint("front", 9999, 0)})
    body, planner = CountingBody(), Plans((nowhere,), Plan((), feasible=False, reason="it is gone"))
    result, _ = run(body, planner=planner)
    assert body.asked == 0
    assert result.infeasible
    assert planner.requests[1].history[0].failure == "PLANNER_FAILED"
    assert "9999" in planner.requests[1].history[0].detail


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


def test_what_failed_twice_without_moving_is_not_tried_a_third_time():
    policy = TroubledPolicy(pick=itertools.repeat(FailureCode.GRASP_FAILED))
    result, _ = run(policy=policy, planner=Plans(TASK), limits=Limits(retries=5, replans=0))
    assert [attempt.subgoal.skill for attempt in result.attempts] == ["pick", "pick"]
    assert result.failure == FailureCode.BUDGET_EXHAUSTED


def test_for_a_planner_that_looks_the_arm_steps_out_of_the_view_before_every_later_plan():
    planner, policy = Plans(TASK, ()), TroubledPolicy()
    planner.looks = True
    result, _ = run(planner=planner, policy=policy)
    assert [subgoal.skill for subgoal in policy.tried] == ["pick", "place", "home"]
    assert result.claimed
    assert len(result.attempts) == 2
