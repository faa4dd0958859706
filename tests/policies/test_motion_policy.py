"""The motion policy as a `Policy`: its contract, its recipes on an arm without physics, and every failure code."""

import numpy as np
import pytest

from tandem.bridge.conformance import check_policy
from tandem.bridge.contract import SKILLS, CameraPoint, FailureCode, SkillFailed, SpecMismatch, Subgoal, Target
from tandem.policies.hybrid import HybridPolicy
from tandem.policies.motion import MotionPolicy
from tandem.policies.motion.skills.insert import spiral

CUBE = np.array([0.04, 0.04, 0.04])


def _cube(x=0.45, y=0.1, yaw=0.3):
    return Target(np.array([x, y, 0.04]), CUBE, yaw, 0.04)


BIN = Target(np.array([0.5, -0.2, 0.004]), np.array([0.15, 0.15, 0.05]), 0.2, 0.05)
HANDLE = Target(np.array([0.5, 0.0, 0.06]), np.array([0.012, 0.1, 0.014]), 0.0, 0.06, np.array([-1.0, 0.0, 0.0]))
SOCKET = Target(np.array([0.5, -0.1, 0.04]), np.array([0.032, 0.032, 0.04]), 0.0, 0.04)
PICK = Subgoal("pick", {"object": "cube"})
PLACE = Subgoal("place", {"target": "bin"})


def _held(tool, time_s):
    """There is a cube wherever the tool is low enough, and it stays in the hand once taken."""
    return 0.04 if tool[2] < 0.05 or time_s > 2.0 else 0.0


def _run(policy, body, subgoal, *, epoch=1, meddle=lambda phase: None, limit=600):
    """Phases in order, until the policy says it is done."""
    policy.reset(epoch)
    phases = []
    for _ in range(limit):
        chunk = policy.infer(body.observe(), subgoal)
        phases.append(chunk.phase)
        meddle(chunk.phase)
        for action in chunk.actions:
            body.step(action)
        if chunk.final:
            return list(dict.fromkeys(phases))
    raise AssertionError(f"no end after {limit} chunks: {phases[-3:]}")


def _failure(policy, body, subgoal, **options):
    with pytest.raises(SkillFailed) as failed:
        _run(policy, body, subgoal, **options)
    return failed.value.code


@pytest.fixture
def make(spec_of, puppet, known):
    def make(between_m=_held, robot="panda", **targets):
        spec = spec_of(robot)
        return MotionPolicy(spec, known(**{"cube": _cube(), "bin": BIN, **targets})), puppet(spec, between_m)

    return make


def test_it_satisfies_the_laws_of_a_policy(spec_of, puppet, known):
    spec = spec_of("panda")
    subgoals = (PICK, Subgoal("home"), Subgoal("press", {"target": "bin"}))
    observation = puppet(spec).observe()
    check_policy(lambda: MotionPolicy(spec, known(cube=_cube(), bin=BIN)), spec, observation, subgoals)


@pytest.mark.parametrize("robot", ["panda", "ur5e", "so101"])
def test_every_command_follows_from_the_last_within_the_limits(make, robot):
    near = {"cube": Target(np.array([0.22, 0.05, 0.03]), CUBE * 0.75, 0.3, 0.03)} if robot == "so101" else {}
    policy, body = make(robot=robot, between_m=lambda tool, time_s: 0.02, **near)
    start = body.q.copy()
    _run(policy, body, PICK)
    commands = np.array([start, *(command[:-1] for command in body.commands)])
    velocity = np.diff(commands, axis=0) / body.spec.dt_s
    acceleration = np.diff(velocity, axis=0) / body.spec.dt_s
    assert np.all(np.abs(velocity) <= body.spec.velocity_limit * 1.0001)
    assert np.all(np.abs(acceleration) <= body.spec.acceleration_limit * 1.0001)


def test_pick_and_place_go_through_their_phases_and_remember_what_is_held(make):
    policy, body = make()
    assert _run(policy, body, PICK) == ["approach", "descend", "grasp", "lift", "done"]
    assert policy.memory.held.words == "cube"
    tool = body.observe()["tool_pose"][:3]
    assert np.linalg.norm(tool[:2] - [0.45, 0.1]) < 1e-3
    assert tool[2] > 0.08
    body.between_m = lambda tool, time_s: 0.04
    assert _run(policy, body, PLACE, epoch=2)[:4] == ["transport", "place", "release", "retreat"]
    assert policy.memory.held is None
    assert body.opening == pytest.approx(1.0)
    assert np.linalg.norm(policy.memory.landmarks["cube"].surface[:2] - BIN.surface[:2]) < 0.01


@pytest.mark.parametrize("first", [1, 3])
def test_an_epoch_that_does_not_go_on_begins_an_episode_of_which_nothing_is_known(make, first):
    """An agent counts from 1: after an episode of one subgoal the next begins with the same number."""
    policy, body = make()
    _run(policy, body, PICK, epoch=2)
    assert policy.memory.held
    policy.reset(3)
    assert policy.memory.held
    policy.reset(first)
    assert not policy.memory.held
    assert not policy.memory.landmarks


def test_who_failed_and_is_asked_again_tries_again_and_never_claims_to_be_done(make):
    policy, body = make(between_m=lambda tool, time_s: 0.0)
    assert _failure(policy, body, Subgoal("pick", {"object": "unicorn"})) is FailureCode.OBJECT_NOT_FOUND
    for _ in range(2):
        with pytest.raises(SkillFailed, match="OBJECT_NOT_FOUND"):
            policy.infer(body.observe(), Subgoal("pick", {"object": "unicorn"}))
    assert _failure(policy, body, PICK) is FailureCode.GRASP_FAILED
    assert policy.infer(body.observe(), PICK).phase == "approach"


class _PicksOnly(MotionPolicy):
    skills = {"pick": SKILLS["pick"]}


@pytest.mark.parametrize("stale", [0.0, 1.0], ids=["believes its hand closed", "believes its hand open"])
def test_what_another_policy_picked_up_is_placed(make, stale):
    """Whatever it commanded itself when it drove last: what is in the hand is the other policy's doing."""
    second, body = make()
    first, _ = make()
    hybrid = HybridPolicy(_PicksOnly(first.spec, first.targets), second)
    second.memory.command = np.append(body.spec.home, stale)
    assert _run(hybrid, body, PICK, epoch=1)[-1] == "done"
    body.between_m = lambda tool, time_s: 0.04
    assert _run(hybrid, body, PLACE, epoch=2)[:4] == ["transport", "place", "release", "retreat"]
    assert body.opening == pytest.approx(1.0)


def test_what_was_commanded_last_is_what_was_carried_out_of_the_chunk(make):
    second, body = make()
    first, _ = make()
    hybrid = HybridPolicy(_PicksOnly(first.spec, first.targets), second)
    chunk = hybrid.infer(body.observe(), PICK)
    hybrid.carried_out(1)
    hybrid.infer(body.observe(), Subgoal("home"))
    assert second.memory.command[-1] == chunk.actions[0][-1]


def test_the_next_thing_into_a_container_goes_beside_the_first(make):
    policy, body = make()
    for epoch in (1, 3):
        _run(policy, body, PICK, epoch=epoch)
        body.between_m = lambda tool, time_s: 0.04
        _run(policy, body, PLACE, epoch=epoch + 1)
        spot = policy.memory.landmarks.pop("cube")
        policy.memory.see(f"cube {epoch}", spot)
    first, second = (policy.memory.landmarks[f"cube {epoch}"].surface for epoch in (1, 3))
    assert np.linalg.norm(first[:2] - second[:2]) > 0.04


def test_chunks_answered_in_part_lose_nothing(make):
    whole, part = make(), make()
    _run(*whole, PICK)
    policy, body = part
    policy.reset(1)
    for _ in range(900):
        chunk = policy.infer(body.observe(), PICK)
        for action in chunk.actions[:3]:
            body.step(action)
        if chunk.final:
            break
    assert np.allclose(body.q, whole[1].q, atol=1e-3)


def test_what_moved_is_taken_where_it_is(make):
    policy, body = make(cube=lambda time_s: _cube() if time_s < 0.6 else _cube(x=0.5, y=0.02))
    _run(policy, body, PICK)
    assert np.linalg.norm(body.observe()["tool_pose"][:2] - [0.5, 0.02]) < 2e-3


def test_what_moves_is_met_on_its_way(make):
    position = lambda time_s: 0.2 - 0.05 * time_s  # noqa: E731
    taken = []

    def between(tool, time_s):
        if tool[2] < 0.04 and not taken:
            taken.append(abs(tool[1] - position(time_s)))
        return 0.04 if taken else 0.0

    policy, body = make(between, cube=lambda time_s: _cube(y=position(time_s)))
    assert "follow" in _run(policy, body, PICK)
    assert taken[0] < 0.006


def test_a_fresh_policy_opens_nothing_that_it_may_hold(make):
    policy, body = make(lambda tool, time_s: 0.04)
    body.opening = 0.5
    policy.reset(1)
    chunk = policy.infer(body.observe(), Subgoal("home"))
    assert np.allclose(chunk.actions[:, -1], 0.5)


# Every failure code that a skill can give.


def test_nothing_between_the_fingers(make):
    assert _failure(*make(lambda tool, time_s: 0.0), PICK) is FailureCode.GRASP_FAILED


def test_too_wide_for_the_gripper(make):
    wide = Target(np.array([0.45, 0.1, 0.05]), np.array([0.12, 0.1, 0.05]), 0.0, 0.05)
    assert _failure(*make(cube=wide), PICK) is FailureCode.GRASP_FAILED


def test_picking_with_a_full_hand_and_placing_with_an_empty_one(make):
    policy, body = make()
    assert _failure(policy, body, PLACE) is FailureCode.PRECONDITION_FAILED
    _run(policy, body, PICK)
    assert _failure(policy, body, PICK, epoch=2) is FailureCode.PRECONDITION_FAILED


def test_lost_on_the_way(make):
    policy, body = make()
    _run(policy, body, PICK)

    def drop(phase):
        if phase == "transport":
            body.between_m = lambda tool, time_s: 0.0

    assert _failure(policy, body, PLACE, epoch=2, meddle=drop) is FailureCode.OBJECT_LOST


def test_out_of_reach(make):
    assert _failure(*make(cube=_cube(x=1.6)), PICK) is FailureCode.UNREACHABLE


def test_not_there(make):
    assert _failure(*make(), Subgoal("pick", {"object": "unicorn"})) is FailureCode.OBJECT_NOT_FOUND


def test_an_arm_that_does_not_move(make):
    policy, body = make()
    body.frozen = True
    assert _failure(policy, body, PICK) is FailureCode.TRACKING_FAILED


def test_out_of_time(make):
    assert _failure(*make(), Subgoal("pick", {"object": "cube"}, timeout_s=0.5)) is FailureCode.TIMEOUT


def test_a_button_that_does_not_give(make):
    policy, body = make(lambda tool, time_s: 0.0, button=Target(np.array([0.5, 0.1, 0.05]), CUBE, 0.0, 0.05))
    body.floor_m = 0.062  # the button's top, and the fingertips one centimetre below the tool
    assert _failure(policy, body, Subgoal("press", {"target": "button"})) is FailureCode.ACTUATION_FAILED


def test_a_button_that_gives(make):
    policy, body = make(lambda tool, time_s: 0.0, button=Target(np.array([0.5, 0.1, 0.05]), CUBE, 0.0, 0.05))
    body.floor_m = 0.055
    assert _run(policy, body, Subgoal("press", {"target": "button"}))[-2:] == ["retreat", "done"]


def test_a_drawer_that_is_stuck(make):
    policy, body = make(lambda tool, time_s: 0.012, handle=HANDLE)
    stuck = {"pull": lambda: setattr(body, "frozen", True), "release": lambda: setattr(body, "frozen", False)}
    code = _failure(
        policy, body, Subgoal("open", {"target": "handle"}), meddle=lambda phase: stuck.get(phase, lambda: None)()
    )
    assert code in (FailureCode.ACTUATION_FAILED, FailureCode.TRACKING_FAILED)


def test_a_handle_that_is_none(make):
    assert _failure(*make(), Subgoal("open", {"target": "bin"})) is FailureCode.OBJECT_NOT_FOUND


def test_a_hole_that_is_not_there(make):
    policy, body = make(socket=SOCKET)
    _run(policy, body, PICK)
    body.between_m = lambda tool, time_s: 0.04
    below = policy.memory.held.below_m
    body.floor_m = SOCKET.surface[2] + below - 0.001
    assert _failure(policy, body, Subgoal("insert", {"target": "socket"}), epoch=2) is FailureCode.INSERT_FAILED


def test_feeling_around_covers_the_clearance_without_gaps():
    offsets = np.array(spiral(0.004))
    assert np.linalg.norm(offsets, axis=1).max() > 0.0035
    grid = np.array([[x, y] for x in np.linspace(-0.002, 0.002, 9) for y in np.linspace(-0.002, 0.002, 9)])
    nearest = np.linalg.norm(grid[:, None] - offsets[None], axis=2).min(axis=1)
    assert nearest.max() < 0.0008


def test_a_body_with_another_kind_of_action_is_refused(spec_of, known):
    import dataclasses

    from tandem.bridge.contract import ActionKind, ActionSpec

    spec = spec_of("panda")
    other = ActionSpec(spec.action.names, spec.action.low, spec.action.high, ActionKind.CUSTOM)
    with pytest.raises(SpecMismatch, match="joint positions"):
        MotionPolicy(dataclasses.replace(spec, action=other), known())


def test_a_point_outside_the_picture_is_told(spec_of, puppet):
    from tandem.policies.motion.targets import DepthTargets

    spec = spec_of("panda")
    policy, body = MotionPolicy(spec, DepthTargets(spec)), puppet(spec)
    outside = Subgoal("pick", {"object": "cube", "point": CameraPoint("front", 900, 10)})
    assert _failure(policy, body, outside) is FailureCode.OBJECT_NOT_FOUND


def test_told_what_was_carried_out_it_goes_on_from_there_whatever_the_time(make):
    """As an executor does it: two actions, then the arm stands for five steps, then the rest."""
    policy, body = make()
    first = policy.infer(body.observe(), PICK)
    for action in (*first.actions[:2], *[first.actions[1]] * 5):
        body.step(action)
    policy.carried_out(2)
    second = policy.infer(body.observe(), PICK)
    assert np.array_equal(second.actions[:2], first.actions[2:4])
    for action in second.actions[:2]:
        body.step(action)
    third = policy.infer(body.observe(), PICK)  # the word is good for one chunk: untold, it goes by the time again
    assert np.array_equal(third.actions[0], second.actions[2])
