"""The e-process may be looked at after every pair; a test that is made for one look may not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.agent.evaluation.sequential import THRESHOLD, confidence_sequence, e_value, running
from tandem.bridge.contract import InvalidOption

COUNTS = st.integers(0, 80)


def _pairs(rates, pairs, repeats, seed=0):
    rng = np.random.default_rng(seed)
    return tuple(rng.random((repeats, pairs)) < rate for rate in rates)


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_it_is_the_product_of_krichevsky_and_trofimovs_bets(wins):
    """Their predictor, written out: the next is a win with (wins so far + 1/2) / (pairs so far + 1)."""
    wealth, won = 1.0, 0
    for count, win in enumerate(wins):
        chance = (won + 0.5) / (count + 1)
        wealth *= 2 * (chance if win else 1 - chance)
        won += win
    assert e_value(won, len(wins) - won) == pytest.approx(wealth)
    assert running(wins, np.logical_not(wins))[-1] == pytest.approx(wealth)


@given(COUNTS, COUNTS)
def test_a_fair_game_whatever_the_next_pair(b, c):
    assert (e_value(b + 1, c) + e_value(b, c + 1)) / 2 == pytest.approx(e_value(b, c))
    assert e_value(b, c) == pytest.approx(e_value(c, b))


def test_pairs_that_end_alike_are_no_evidence():
    assert running([1, 1, 0, 0], [1, 1, 0, 0])== pytest.approx(1)


@pytest.mark.parametrize("rate", [0.5, 0.7])
def test_peeking_after_every_pair_from_the_tenth_to_the_hundredth(rate):
    first, second = _pairs((rate, rate), 100, 20_000)
    assert np.mean((running(first, second)[:, 9:] >= THRESHOLD).any(axis=1)) <= 0.05
    n = np.arange(1, 101)
    a, b = np.cumsum(first, axis=1) / n, np.cumsum(second, axis=1) / n
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.abs(a - b) / np.sqrt((a + b) * (1 - (a + b) / 2) / n)
    assert 0.24 < np.mean((z[:, 9:] > 1.96).any(axis=1)) < 0.32  # the z-test promises 0.05


def test_it_stays_right_for_a_thousand_pairs():
    first, second = _pairs((0.5, 0.5), 1000, 4000)
    assert np.mean((running(first, second) >= THRESHOLD).any(axis=1)) <= 0.05


@pytest.mark.parametrize(("rates", "stops"), [((0.4, 0.8), 24), ((0.6, 0.8), 84)])
def test_it_stops_soon_when_there_is_something_to_see(rates, stops):
    passed = running(*_pairs(rates, 500, 4000)) >= THRESHOLD
    assert passed.any(axis=1).mean() > 0.99
    assert np.median(passed.argmax(axis=1) + 1) == pytest.approx(stops, abs=3)


@given(COUNTS, COUNTS)
def test_the_confidence_sequence_and_the_e_value_agree(b, c):
    low, high = confidence_sequence(b, c)
    assert 0 <= low <= b / max(1, b + c) <= high <= 1
    assert (low <= 0.5 <= high) == (e_value(b, c) < THRESHOLD)
    assert confidence_sequence(c, b) == pytest.approx((1 - high, 1 - low))


def test_the_confidence_sequence_covers_at_every_moment_at_once():
    rng, missed = np.random.default_rng(0), 0
    for wins in rng.random((300, 80)) < 0.7:
        won = np.cumsum(wins)
        missed += not all(low <= 0.7 <= high for low, high in (
            confidence_sequence(int(k), n - int(k)) for n, k in enumerate(won, start=1)))
    assert missed / 300 <= 0.05


def test_it_refuses_what_are_no_pairs():
    with pytest.raises(InvalidOption, match="same length"):
        running([1, 0], [1])
    with pytest.raises(InvalidOption, match="negative"):
        e_value(-1, 2)
    with pytest.raises(InvalidOption, match="confidence"):
        confidence_sequence(1, 2, 1.0)
