"""What has come to nothing begins again from the ready posture."""

import numpy as np
import pytest

from tandem.policies.learned.recovery import PATIENCE_S, Recovery

CLOSED, HALF, OPEN = np.array([0.6, 0.0]), np.array([0.6, 0.6]), np.array([0.0, 1.0])


@pytest.fixture
def recovery(spec_of):
    return Recovery(spec_of("panda"))


@pytest.fixture
def away(spec_of):
    return spec_of("panda").home + 0.4


def test_a_first_attempt_and_one_after_a_finished_subgoal_begin_where_the_arm_is(recovery):
    recovery.begin("pick", 0.0)
    assert not recovery.due("pick", 0.0)
    recovery.commanded("pick", CLOSED, 3.0, final=True)
    recovery.begin("pick", 3.5)
    assert not recovery.due("pick", 3.5)


@pytest.mark.parametrize("before", ["pick", "place"])
def test_a_pick_after_a_subgoal_that_was_not_finished_goes_back_once(before, recovery):
    recovery.begin(before, 0.0)
    recovery.commanded(before, CLOSED, 1.0, final=False)
    recovery.begin("pick", 2.0)
    assert recovery.due("pick", 2.0)
    recovery.resumed(4.0)
    assert not recovery.due("pick", 4.0)


@pytest.mark.parametrize("opening", [0.0, 1.0])
def test_the_way_back_is_from_rest_to_rest_within_limits_the_hand_as_told(recovery, away, spec_of, opening):
    spec = spec_of("panda")
    rows = recovery.way(away, opening)
    joints = np.vstack([away, away, rows[:, :-1], rows[-1:, :-1]])
    speed = np.diff(joints, axis=0) / spec.dt_s
    assert (rows[:, -1] == opening).all()
    assert np.allclose(rows[-1, :-1], spec.home)
    assert (np.abs(speed) <= spec.velocity_limit).all()
    assert (np.abs(np.diff(speed, axis=0)) / spec.dt_s <= spec.acceleration_limit).all()
    assert 0 < len(rows) * spec.dt_s < 2.0


def test_an_arm_that_is_there_has_no_way(recovery, spec_of):
    assert recovery.way(spec_of("panda").home + 0.04, 1.0).shape == (0, 8)


def test_a_place_goes_on_with_what_is_in_the_hand(recovery):
    recovery.begin("place", 0.0)
    recovery.commanded("place", HALF, 1.0, final=False)
    recovery.begin("place", 2.0)
    assert not recovery.due("place", 2.0)


@pytest.mark.parametrize(("skill", "goes_on"), [("pick", CLOSED), ("place", OPEN)])
def test_hesitation_is_a_pick_that_does_not_close_the_hand_and_a_place_that_does_not_open_it(recovery, skill, goes_on):
    patience_s = PATIENCE_S[skill]
    recovery.begin(skill, 0.0)
    recovery.commanded(skill, goes_on, 5.0, final=False)
    assert not recovery.due(skill, 5.0 + patience_s)
    recovery.commanded(skill, HALF, 5.0 + patience_s, final=False)
    assert recovery.due(skill, 5.1 + patience_s)
    recovery.resumed(6.0 + patience_s)
    assert not recovery.due(skill, 6.0 + 2 * patience_s)


def test_most_of_the_patience_gone_the_chunk_of_a_place_that_lets_go_is_carried_out(recovery):
    openings = np.array([[0.6, 0.5], [0.6, 0.1], [0.6, 0.9]])
    for skill, boldest in (("pick", 0), ("place", 2), ("home", 0)):
        recovery.begin(skill, 0.0)
        recovery.commanded(skill, HALF, 0.0, final=False)
        most_s = 0.71 * PATIENCE_S.get(skill, 10.0)
        assert recovery.chosen(skill, openings, most_s / 2) == 0
        assert recovery.chosen(skill, openings, most_s) == boldest


def test_another_episode_owes_nothing_to_the_last(recovery):
    recovery.begin("pick", 0.0)
    recovery.forget()
    recovery.begin("pick", 0.0)
    assert not recovery.due("pick", 0.0)
