"""A pick that has come to nothing begins again from the ready posture."""

import numpy as np
import pytest

from tandem.policies.learned.recovery import PATIENCE_S, Recovery


@pytest.fixture
def recovery(spec_of):
    return Recovery(spec_of("panda"))


@pytest.fixture
def away(spec_of):
    return spec_of("panda").home + 0.4


def test_a_first_attempt_and_one_after_a_finished_subgoal_begin_where_the_arm_is(recovery):
    recovery.begin("pick", 0.0)
    assert not recovery.due("pick", 0.0)
    recovery.commanded(0.0, 3.0, final=True)
    recovery.begin("pick", 3.5)
    assert not recovery.due("pick", 3.5)


@pytest.mark.parametrize("before", ["pick", "place"])
def test_a_pick_after_a_subgoal_that_was_not_finished_goes_back_once(before, recovery):
    recovery.begin(before, 0.0)
    recovery.commanded(0.0, 1.0, final=False)
    recovery.begin("pick", 2.0)
    assert recovery.due("pick", 2.0)
    recovery.resumed(4.0)
    assert not recovery.due("pick", 4.0)


def test_the_way_back_is_from_rest_to_rest_within_limits_the_hand_open(recovery, away, spec_of):
    spec = spec_of("panda")
    rows = recovery.way(away)
    joints = np.vstack([away, away, rows[:, :-1], rows[-1:, :-1]])
    speed = np.diff(joints, axis=0) / spec.dt_s
    assert (rows[:, -1] == 1).all()
    assert np.allclose(rows[-1, :-1], spec.home)
    assert (np.abs(speed) <= spec.velocity_limit).all()
    assert (np.abs(np.diff(speed, axis=0)) / spec.dt_s <= spec.acceleration_limit).all()
    assert 0 < len(rows) * spec.dt_s < 2.0


def test_an_arm_that_is_there_has_no_way(recovery, spec_of):
    assert recovery.way(spec_of("panda").home + 0.04).shape == (0, 8)


def test_a_place_goes_on_with_what_is_in_the_hand(recovery):
    recovery.begin("place", 0.0)
    recovery.commanded(0.0, 1.0, final=False)
    recovery.begin("place", 2.0)
    assert not recovery.due("place", 100.0)


def test_hesitation_is_a_hand_that_does_not_close_for_too_long(recovery):
    recovery.begin("pick", 0.0)
    recovery.commanded(0.0, 5.0, final=False)
    assert not recovery.due("pick", 5.0 + PATIENCE_S)
    recovery.commanded(0.7, 5.0 + PATIENCE_S, final=False)
    assert recovery.due("pick", 5.1 + PATIENCE_S)
    recovery.resumed(6.0 + PATIENCE_S)
    assert not recovery.due("pick", 6.0 + 2 * PATIENCE_S)


def test_another_episode_owes_nothing_to_the_last(recovery):
    recovery.begin("pick", 0.0)
    recovery.forget()
    recovery.begin("pick", 0.0)
    assert not recovery.due("pick", 0.0)
