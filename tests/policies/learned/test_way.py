"""A motion known to its end: however it is carried out, each row once, and within limits from rest to rest."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.policies.learned.way import Way, eased, steps_of


def rows(count, pace=0.01):
    return np.column_stack([np.arange(count) * pace, np.ones(count)])


@given(st.integers(0, 60), st.lists(st.integers(0, 20), max_size=80))
def test_however_much_of_each_piece_is_carried_out_every_row_comes_once_and_in_order(count, taken):
    way, done = Way(rows(count), 16, "return"), []
    for much in [*taken, *[1] * count]:
        piece = way.ahead(done[-1][:-1] if done else np.zeros(1))
        assert len(piece) <= 16
        way.carried_out(much)
        done += list(piece[:much])
    assert np.array_equal(np.array(done).reshape(-1, 2), rows(count))
    assert not len(way.ahead(rows(count)[-1, :-1] if count else np.zeros(1)))


def test_without_a_word_a_piece_is_carried_out_whole():
    way = Way(rows(20), 16, "return")
    assert [len(way.ahead(np.array([q]))) for q in (0.0, 0.15, 0.19)] == [16, 4, 0]


def test_an_arm_that_is_elsewhere_goes_on_from_there():
    way = Way(rows(40, pace=0.05), 16, "return")
    way.ahead(np.zeros(1))
    assert way.ahead(np.array([0.2]))[0, 0] == pytest.approx(0.25), "only five of sixteen were carried out"


@pytest.mark.parametrize("far", [[0.5, -1.2], [1e-3, 0.0], [0.0, 3.0]])
def test_an_eased_way_begins_and_ends_at_rest_within_limits(far):
    dt_s, velocity, acceleration = 0.05, np.array([1.0, 2.0]), np.array([3.0, 6.0])
    steps = steps_of(np.array(far), velocity, acceleration, dt_s)
    way = np.concatenate([[0, 0], eased(steps), [1, 1]])[:, None] * np.array(far)
    speed = np.diff(way, axis=0) / dt_s
    assert np.array_equal(way[-1], far)
    assert (np.abs(speed) <= velocity + 1e-9).all()
    assert (np.abs(np.diff(speed, axis=0) / dt_s) <= acceleration + 1e-9).all() or steps == 1
    assert (np.diff(eased(steps)) > 0).all()
