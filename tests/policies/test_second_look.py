"""The second look: from near it beats the first, and where the camera on the arm sees nothing the first one counts."""

import dataclasses
import logging

import numpy as np
import pytest

from tandem.bridge.contract import FailureCode, SkillFailed, depth_key, image_key
from tandem.bridge.robots import load
from tandem.policies.motion import MotionPolicy
from tandem.policies.motion.targets import DepthTargets
from tandem.sim.simulation import Simulation
from tandem.sim.tasks import task_named


@pytest.fixture(scope="module")
def body():
    """The Panda before an insertion, rendered."""
    body = Simulation(task_named("insert"), load("panda"))
    yield body
    body.close()


def _insertion(body, seed, *, black=False, second_look=True):
    """Phases of a whole insertion, and what was believed of the hole when the peg went down."""
    observation, _ = body.reset(seed=seed)
    policy = MotionPolicy(body.spec, DepthTargets(body.spec, second_look=second_look))
    phases, believed = [], None
    for epoch, subgoal in enumerate(body.truth().remaining(), start=1):
        policy.reset(epoch)
        final = False
        while not final:
            seen = _blackened(observation) if black else observation
            chunk = policy.infer(seen, subgoal)
            final = chunk.final
            if subgoal.skill == "insert":
                phases.append(chunk.phase)
                if chunk.phase == "insert" and believed is None:
                    believed = policy.memory.landmarks[subgoal.arguments["target"]]
            for action in chunk.actions:
                observation, *_ = body.step(action)
    return phases, believed, body.truth().target(subgoal.arguments["target"])


def _blackened(observation):
    keys = (image_key("wrist"), depth_key("wrist"))
    return {key: np.zeros_like(value) if key in keys else value for key, value in observation.items()}


def _off_mm(believed, true):
    return 1e3 * float(np.linalg.norm(believed.surface[:2] - true.surface[:2]))


@pytest.mark.parametrize("seed", [1, 4])
def test_a_second_look_finds_the_hole_to_half_a_millimetre(body, seed):
    _, first, true = _insertion(body, seed, second_look=False)
    phases, second, true_again = _insertion(body, seed)
    assert "second look" in phases
    assert body.truth().success()
    assert _off_mm(second, true_again) < 0.5 < _off_mm(first, true)
    turn = (second.yaw_rad - true_again.yaw_rad + np.pi / 4) % (np.pi / 2) - np.pi / 4
    assert abs(np.degrees(turn)) < 1.5


def test_where_the_wrist_camera_is_black_the_first_look_counts_and_that_is_said(body, caplog):
    _, first, _ = _insertion(body, 1, second_look=False)
    with caplog.at_level(logging.INFO, "tandem.policies.motion.closer"):
        phases, believed, _ = _insertion(body, 1, black=True)
    assert "first look kept" in phases
    assert "'wrist' is blind" in caplog.text
    assert np.array_equal(believed.surface, first.surface)
    assert body.truth().success()


@pytest.mark.parametrize("aside_m", [0.022, 0.07, 0.5], ids=["on the rim", "on the table", "out of sight"])
def test_no_mouth_where_it_is_believed_is_told(body, aside_m):
    observation, _ = body.reset(seed=1)
    hole = next(subgoal for subgoal in body.truth().remaining() if subgoal.skill == "insert").arguments
    targets = DepthTargets(body.spec)
    target = targets.locate(hole["target"], hole["point"], observation)
    aside = aside_m * np.array([np.cos(target.yaw_rad), np.sin(target.yaw_rad), 0.0])
    with pytest.raises(SkillFailed, match="does not see the mouth"):
        targets.closer(dataclasses.replace(target, surface=target.surface + aside), observation)


def test_without_a_second_look_none_is_given(body):
    observation, _ = body.reset(seed=1)
    hole = next(subgoal for subgoal in body.truth().remaining() if subgoal.skill == "insert").arguments
    targets = DepthTargets(body.spec, second_look=False)
    target = targets.locate(hole["target"], hole["point"], observation)
    assert targets.eye is None
    with pytest.raises(SkillFailed, match="no second look") as failed:
        targets.closer(target, observation)
    assert failed.value.code is FailureCode.OBJECT_NOT_FOUND
