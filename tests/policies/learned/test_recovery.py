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


def test_a_first_attempt_and_one_after_a_finished_subgoal_begin_where_the_arm_is(recovery, away):
    recovery.begin("pick", 0.0)
    assert not recovery.due("pick", away, 0.0)
    recovery.commanded(0.0, 3.0, final=True)
    recovery.begin("pick", 3.5)
    assert not recovery.due("pick", away, 3.5)


@pytest.mark.parametrize("before", ["pick", "place"])
def test_a_pick_after_a_subgoal_that_was_not_finished_returns_all_the_way_first(before, recovery, away, spec_of):
    spec, q, looks = spec_of("panda"), away, 0
    recovery.begin(before, 0.0)
    recovery.commanded(0.0, 1.0, final=False)
    recovery.begin("pick", 2.0)
    while recovery.due("pick", q, 2.0 + looks * 0.4):
        rows = recovery.way(q, 8)
        assert (rows[:, -1] == 1).all()
        moved = np.abs(np.diff(np.vstack([q, rows[:, :-1]]), axis=0))
        assert (moved <= 0.5 * spec.velocity_limit * spec.dt_s + 1e-9).all()
        q, looks = rows[-1, :-1], looks + 1
    assert np.abs(q - spec.home).max() < 0.06
    assert 0 < looks < 20
    assert not recovery.due("pick", away, 3.0 + looks * 0.4), "and then it drives"


def test_a_place_goes_on_with_what_is_in_the_hand(recovery, away):
    recovery.begin("place", 0.0)
    recovery.commanded(0.0, 1.0, final=False)
    recovery.begin("place", 2.0)
    assert not recovery.due("place", away, 100.0)


def test_hesitation_is_a_hand_that_does_not_close_for_too_long(recovery, away):
    recovery.begin("pick", 0.0)
    recovery.commanded(0.0, 5.0, final=False)
    assert not recovery.due("pick", away, 5.0 + PATIENCE_S)
    recovery.commanded(0.7, 5.0 + PATIENCE_S, final=False)
    assert recovery.due("pick", away, 5.1 + PATIENCE_S)


def test_another_episode_owes_nothing_to_the_last(recovery, away):
    recovery.begin("pick", 0.0)
    recovery.forget()
    recovery.begin("pick", 0.0)
    assert not recovery.due("pick", away, 0.0)
