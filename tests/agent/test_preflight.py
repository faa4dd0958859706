"""What preflight lets through and what it refuses."""

import dataclasses

import numpy as np
import pytest

from tandem.agent.preflight import preflight
from tandem.bridge.conformance import DummyBody, dummy_spec
from tandem.bridge.contract import (
    SKILLS,
    ActionKind,
    CameraPoint,
    InvalidObservation,
    InvalidPlan,
    SpecMismatch,
    StaleObservation,
    Subgoal,
    UnknownName,
)

SPEC = dummy_spec()


def at(u, v, camera="front"):
    return Subgoal("pick", {"object": "red cube", "point": CameraPoint(camera, u, v)})


def observed(**changes):
    body = DummyBody(SPEC)
    return {**dict(body.reset(seed=1)[0]), **changes}


@pytest.mark.parametrize("subgoal", [Subgoal("home"), at(0, 0), at(31.9, 23.9)], ids=str)
def test_what_can_be_begun_passes(subgoal):
    preflight(subgoal, observed(), SPEC, SKILLS)


@pytest.mark.parametrize(("subgoal", "error", "words"), [
    (at(32, 0), InvalidPlan, "32x24"), (at(0, 24), InvalidPlan, "32x24"),
    (at(0, 0, "frnt"), UnknownName, "Did you mean 'front'"),
    (Subgoal("open", {"target": "drawer"}), UnknownName, "skill"),
], ids=str)
def test_a_subgoal_that_names_what_is_not_there_is_refused(subgoal, error, words):
    skills = {name: skill for name, skill in SKILLS.items() if name != "open"}
    with pytest.raises(error, match=words):
        preflight(subgoal, observed(), SPEC, skills)


@pytest.mark.parametrize(("changes", "error"), [
    ({"joint_position": np.array([0.3, np.nan, 0.1])}, InvalidObservation),
    ({"joint_velocity": np.zeros(7)}, InvalidObservation),
    ({"image.front": np.zeros((24, 32, 3), np.uint8)}, StaleObservation),  # a camera that went black
    ({"time": np.array([5.0]), "time.front": np.array([3.9])}, StaleObservation),  # a camera that froze
    ({"time": np.array([5.0]), "time.front": np.array([np.nan])}, StaleObservation),
], ids=["nan", "shape", "black", "frozen", "no time"])
def test_an_observation_that_cannot_be_acted_on_is_refused(changes, error):
    with pytest.raises(error):
        preflight(at(3, 3), observed(**changes), SPEC, SKILLS)


def test_a_picture_that_is_young_enough_passes():
    preflight(at(3, 3), observed(**{"time": np.array([5.0]), "time.front": np.array([4.1])}), SPEC, SKILLS)


def test_a_policy_for_another_action_layout_is_refused():
    custom = dataclasses.replace(SPEC, action=dataclasses.replace(SPEC.action, kind=ActionKind.CUSTOM))
    with pytest.raises(SpecMismatch, match=r"action\.kind"):
        preflight(Subgoal("home"), observed(), custom, SKILLS)
    preflight(Subgoal("home"), observed(), custom, SKILLS, ActionKind.CUSTOM)


def test_pictures_are_made_only_when_they_must_be_looked_at():
    newest, _ = DummyBody(SPEC).reset(seed=1)
    preflight(Subgoal("home"), newest, SPEC, SKILLS)
    preflight(at(3, 3), newest, SPEC, SKILLS, look=False)
    assert newest.read == []
    preflight(at(3, 3), newest, SPEC, SKILLS)
    assert newest.read == ["image.front"]
