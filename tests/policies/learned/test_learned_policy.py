"""A learned policy as an executor and an agent meet it."""

import contextlib

import numpy as np
import pytest
import torch
from torch import nn

from tandem.bridge.conformance import check_policy
from tandem.bridge.contract import CameraPoint, FailureCode, InvalidAction, SkillFailed, Subgoal, UnknownName
from tandem.policies.hybrid import HybridPolicy
from tandem.policies.learned import LearnedPolicy
from tandem.policies.learned.layouts import Layout
from tandem.policies.learned.network import Answer
from tandem.policies.learned.recovery import PATIENCE_S
from tandem.policies.motion import MotionPolicy
from tandem.policies.motion.kinematics import Arm
from tandem.policies.motion.targets import DepthTargets

POINT = CameraPoint("front", 300, 250)
PICK = Subgoal("pick", {"object": "red cube", "point": POINT})
PLACE, HOME = Subgoal("place", {"target": "blue bin"}), Subgoal("home")


class Scripted(nn.Module):
    """Answers what it is told to, and remembers what it was shown."""

    def __init__(self, manifest, remaining=1.0, action=0.0):
        super().__init__()
        self.shapes, self.remaining, self.action, self.told = manifest.shapes, remaining, action, []

    def answer(self, told, generator):
        self.told.append(told)
        actions = torch.full((1, self.shapes.horizon, self.shapes.action), self.action)
        return Answer(actions, torch.tensor([self.remaining]), torch.tensor([0.25]))


@pytest.fixture
def spec(spec_of):
    return spec_of("panda")


@pytest.fixture
def scripted(made, spec):
    def make(**answers):
        manifest = made(spec)[0]
        network = Scripted(manifest, **answers)
        return LearnedPolicy(spec, manifest, network, execute=4), network

    return make


@pytest.fixture
def observation(spec, seen):
    return seen(spec, Arm(spec))


@pytest.mark.parametrize("layout", list(Layout))
def test_it_conforms(made, spec, observation, layout):
    manifest, network = made(spec, layout=layout)
    check_policy(lambda: LearnedPolicy(spec, manifest, network, execute=4), spec, observation, [PICK, HOME])
    holding = {**observation, "gripper_opening": np.array([0.4])}
    check_policy(lambda: LearnedPolicy(spec, manifest, network, execute=4), spec, holding, [PLACE, HOME])


def test_the_same_seed_and_call_give_the_same_to_the_bit(made, spec, observation):
    def chunks(seed):
        policy = LearnedPolicy(spec, *made(spec), execute=4, seed=seed)
        policy.reset(3)
        return np.concatenate([policy.infer(observation, PICK).actions for _ in range(2)])

    assert np.array_equal(chunks(0), chunks(0))
    assert not np.array_equal(chunks(0), chunks(1))


def test_it_looks_again_after_a_few_actions_and_ends_with_the_subgoal(scripted, observation):
    policy, _ = scripted()
    chunk = policy.infer(observation, PICK)
    assert (len(chunk), chunk.final, chunk.phase, policy.confidence) == (4, False, "pick", 0.25)
    last = scripted(remaining=0.4)[0].infer(observation, PICK)
    assert (len(last), last.final) == (3, True)
    assert len(scripted(remaining=0.0)[0].infer(observation, PICK)) == 1


def test_a_doubt_of_the_network_is_not_one_about_a_known_way(scripted, spec, seen, observation):
    policy, _ = scripted()
    policy.infer(observation, PICK)
    assert policy.confidence == 0.25
    for epoch, subgoal, opening in ((1, PICK, 0.5), (2, HOME, 1.0)):  # opens the hand; goes home
        policy.reset(epoch)
        policy.infer(seen(spec, Arm(spec), opening=opening), subgoal)
        assert (policy.reflex, policy.confidence) == (True, 1.0)


@pytest.mark.parametrize(("subgoal", "code"), [(PICK, FailureCode.GRASP_FAILED), (PLACE, FailureCode.OBJECT_LOST)])
def test_fingers_that_met_hold_nothing(scripted, spec, seen, subgoal, code):
    policy, empty = scripted()[0], seen(spec, Arm(spec), opening=0.01)
    policy.infer(seen(spec, Arm(spec), opening=0.9), subgoal)
    with pytest.raises(SkillFailed) as failed:
        policy.infer(empty, subgoal)
    assert failed.value.code is code


@pytest.mark.parametrize("opening", [0.0, 0.03, 0.95, 1.0])
def test_an_empty_hand_places_nothing(scripted, spec, seen, opening):
    policy, network = scripted()
    with pytest.raises(SkillFailed, match="needs a held object") as failed:
        policy.infer(seen(spec, Arm(spec), opening=opening), PLACE)
    assert failed.value.code is FailureCode.PRECONDITION_FAILED
    assert not network.told


def test_picking_up_begins_with_an_open_hand(scripted, spec, seen):
    policy, network = scripted()
    half = seen(spec, Arm(spec), opening=0.5)
    rows = []
    while (chunk := policy.infer(half, PICK)).phase == "open":
        assert (chunk.final, policy.reflex) == (False, True)
        rows += list(chunk.actions)
        assert not network.told
    heights = [Arm(spec).fk(row[:-1])[2, 3] for row in rows]
    assert heights[-1] - Arm(spec).fk(spec.home)[2, 3] == pytest.approx(0.08, abs=2e-3)
    assert (np.diff(heights) > 0).all()
    assert (np.array(rows)[:, -1] == 1).all()
    assert (chunk.phase, policy.reflex) == ("pick", False)
    policy.reset(2)
    assert policy.infer(half, PLACE).phase == "place"


@pytest.mark.parametrize("taken", [None, 1, 3, 8])
def test_a_pick_that_came_to_nothing_begins_again_from_the_ready_posture_smoothly(scripted, spec, seen, taken):
    """However much of each chunk an executor carries out: no row is missed, none comes twice."""
    policy, network = scripted()
    arm, q = Arm(spec), spec.home + 0.3
    policy.infer(seen(spec, arm, q), PICK)
    policy.reset(1)
    rows = [q]
    while (chunk := policy.infer(seen(spec, arm, rows[-1], opening=0.2), PICK)).phase == "return":
        rows += [action[:-1] for action in chunk.actions[:taken]]
        if taken:
            policy.carried_out(taken)
    assert np.allclose(rows[-1], spec.home, atol=1e-6)
    assert len(network.told) == 2
    assert max(arm.fk(row)[2, 3] for row in rows) >= arm.fk(q)[2, 3] + 0.07, "first it rises"
    jerk = np.diff(np.vstack([q, q, rows, spec.home, spec.home]), 3, axis=0) / spec.dt_s**3
    assert np.linalg.norm(jerk, axis=1).max() < 200


@pytest.mark.parametrize(("skill", "hand"), [("place", 0.4), ("home", 0.4), ("home", 1.0)])
def test_a_place_that_hesitates_and_home_rise_and_return_with_what_the_hand_holds(scripted, spec, seen, skill, hand):
    policy, network = scripted()
    arm, q = Arm(spec), spec.home + 0.3
    subgoal = PLACE if skill == "place" else HOME
    late = 0.0 if skill == "home" else PATIENCE_S["place"] + 0.1
    if skill == "place":
        assert policy.infer(seen(spec, arm, q, opening=hand), subgoal).phase == "place"
    rows, chunk = [q], None
    while True:
        now = seen(spec, arm, rows[-1], opening=hand)
        chunk = policy.infer({**now, "time": now["time"] + late}, subgoal)
        if chunk.phase != "return":
            break
        assert (chunk.actions[:, -1] == (hand == 1.0)).all()
        rows += [action[:-1] for action in chunk.actions]
    assert np.allclose(rows[-1], spec.home, atol=1e-6)
    assert max(arm.fk(row)[2, 3] for row in rows) >= arm.fk(q)[2, 3] + 0.07, "first it rises"
    assert (chunk.phase, chunk.final) == (skill, skill == "home")
    assert len(network.told) == (2 if skill == "place" else 0)


def test_home_where_it_is_already_moves_nothing(scripted, spec, observation):
    chunk = scripted()[0].infer(observation, HOME)
    assert (len(chunk), chunk.final) == (1, True)
    assert np.allclose(chunk.actions[0, :-1], spec.home)


def test_what_was_picked_up_is_not_where_it_was_pointed_at(scripted, spec, observation):
    bare = Subgoal("pick", {"object": "red cube"})
    policy = scripted(remaining=0.0)[0]
    assert policy.infer(observation, PICK).final
    policy.reset(1)
    with pytest.raises(SkillFailed, match="point at it anew") as failed:
        policy.infer(observation, bare)
    assert failed.value.code is FailureCode.OBJECT_NOT_FOUND
    policy.reset(2)
    assert policy.infer(observation, PICK).final


def test_what_nobody_pointed_at_may_be_picked_by_its_words_again(scripted, observation):
    policy, network = scripted(remaining=0.0)
    for epoch in range(2):
        policy.reset(epoch)
        assert policy.infer(observation, Subgoal("pick", {"object": "red cube"})).final
    assert len(network.told) == 2


def test_what_was_pointed_at_is_remembered_until_time_runs_back(scripted, observation):
    policy, network = scripted()
    bare = Subgoal("pick", {"object": "red cube"})
    for subgoal in (bare, PICK, bare, PLACE):
        policy.infer(observation, subgoal)
    known = [float(told.state[0, -7]) for told in network.told]
    assert known == [0.0, 1.0, 1.0, 0.0]
    policy.infer({**observation, "time": np.array([0.0])}, bare)
    assert float(network.told[-1].state[0, -7]) == 0.0


@pytest.mark.parametrize("first", [1, 3])
def test_an_epoch_that_does_not_go_on_begins_an_episode_in_which_nobody_has_pointed(scripted, observation, first):
    policy, network = scripted()
    bare = Subgoal("pick", {"object": "red cube"})
    for epoch, subgoal in ((2, PICK), (3, bare), (first, bare)):
        policy.reset(epoch)
        policy.infer(observation, subgoal)
    assert [float(told.state[0, -7]) for told in network.told] == [1.0, 1.0, 0.0]


def test_words_and_skills_reach_the_network_as_they_are_numbered(scripted, observation):
    policy, network = scripted()
    holding = {**observation, "gripper_opening": np.array([0.4])}
    policy.infer(holding, Subgoal("place", {"object": "Red ball", "target": "blue bin"}))
    told = network.told[0]
    assert told.skill.tolist() == [1]
    assert told.words[0, :6].tolist() == [2, 1, 4, 5, 0, 0]  # red, unknown, blue, bin


def test_what_is_not_finite_moves_nothing(scripted, observation):
    with pytest.raises(InvalidAction, match="not finite"):
        scripted(action=float("nan"))[0].infer(observation, PICK)


def test_it_refuses_what_it_was_not_taught(scripted, observation):
    with pytest.raises(UnknownName, match="push"):
        scripted()[0].infer(observation, Subgoal("push", {"object": "a", "target": "b"}))
    with pytest.raises(UnknownName, match="camera"):
        scripted()[0].infer(observation, Subgoal("pick", {"object": "a", "point": CameraPoint("side", 1, 1)}))


def test_motion_takes_over_what_was_picked_up_since_it_was_pointed_at(scripted, spec, observation):
    told, first = [], scripted(remaining=0.0)[0]
    hybrid = HybridPolicy(first, MotionPolicy(spec, DepthTargets(spec)), least=0.0, preflight=first.preflight)
    hybrid.listen(told.append)
    hybrid.reset(1)
    first.infer(observation, PICK)
    hybrid.reset(2)
    with contextlib.suppress(SkillFailed):
        hybrid.infer(observation, Subgoal("pick", {"object": "red cube"}))
    assert "point at it anew" in told[0].message


def test_motion_takes_over_where_it_is_not_sure(scripted, spec, observation):
    told = []
    hybrid = HybridPolicy(scripted()[0], MotionPolicy(spec, DepthTargets(spec)))
    hybrid.listen(told.append)
    hybrid.reset(1)
    with contextlib.suppress(SkillFailed):  # the pictures are noise: motion may find nothing in them
        hybrid.infer(observation, PICK)
    assert "LearnedPolicy" in told[0].message
    assert "0.25" in told[0].message
