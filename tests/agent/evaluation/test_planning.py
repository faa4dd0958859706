"""How many episodes a question costs, against published numbers, simulation, and the tests that will be applied."""

import numpy as np
import pytest
from scipy.stats import binom, hypergeom, multivariate_normal, norm

from tandem.agent.evaluation.pairs import PairTable, mcnemar
from tandem.agent.evaluation.planning import (
    discordant_rates,
    more_pairs,
    paired_power,
    pairs_for,
    pairs_to_decide,
    unpaired_power,
    unpaired_trials,
)
from tandem.agent.evaluation.sequential import THRESHOLD, running
from tandem.bridge.contract import InvalidOption


@pytest.mark.parametrize(("first", "second", "trials"), [
    # two-sided 5 %, power 80 %: the tables of any textbook, such as Fleiss, Levin and Paik 2003 (before its correction)
    (0.5, 0.6, 388), (0.5, 0.7, 93), (0.8, 0.9, 199), (0.9, 0.95, 435),
])
def test_trials_of_unpaired_arms(first, second, trials):
    assert unpaired_trials(first, second) == unpaired_trials(second, first) == trials
    assert unpaired_power(first, second, trials - 1) < 0.8 <= unpaired_power(first, second, trials)


@pytest.mark.parametrize(("first", "second", "trials"), [(0.5, 0.7, 93), (0.5, 0.6, 388)])
def test_that_many_trials_do_have_power_80(first, second, trials):
    rng = np.random.default_rng(0)
    a, b = (rng.binomial(trials, rate, 100_000) / trials for rate in (first, second))
    z = np.abs(a - b) / np.sqrt((a + b) * (1 - (a + b) / 2) / trials)
    assert np.mean(z > norm.ppf(0.975)) == pytest.approx(0.80, abs=0.015)


def test_discordant_rates_are_those_of_a_bivariate_normal():
    b, c = discordant_rates(0.8, 0.7, 0.8)
    both = multivariate_normal(cov=[[1, 0.8], [0.8, 1]]).cdf([norm.ppf(0.8), norm.ppf(0.7)])
    assert (b, c) == pytest.approx((0.8 - both, 0.7 - both), abs=1e-4)
    assert discordant_rates(0.8, 0.7, 0.0) == pytest.approx((0.8 * 0.3, 0.7 * 0.2))


def test_pairs_on_the_same_states_are_worth_twice_the_power():
    """70 against 80 %, 100 episodes each: McNemar 0.59 where scenes correlate by 0.8, Fisher's exact test 0.31."""
    b, c = discordant_rates(0.8, 0.7, 0.8)
    assert paired_power(b, c, 100) == pytest.approx(0.595, abs=0.01)
    assert _fisher_power(0.8, 0.7, 100) == pytest.approx(0.31, abs=0.01)


def _fisher_power(first, second, n):
    k = np.arange(n + 1)
    rejected = np.zeros((n + 1, n + 1))
    for total in range(2 * n + 1):
        a = np.arange(max(0, total - n), min(n, total) + 1)
        pmf = hypergeom.pmf(a, 2 * n, total, n)
        p = np.array([pmf[pmf <= one * (1 + 1e-7)].sum() for one in pmf])
        rejected[a, total - a] = p <= 0.05
    return binom.pmf(k, n, first) @ rejected @ binom.pmf(k, n, second)


@pytest.mark.parametrize(("b", "c", "pairs"), [(0.14, 0.04, 100), (0.3, 0.3, 50), (0.5, 0.0, 7), (0.1, 0.02, 400)])
def test_paired_power_is_how_often_the_test_rejects(b, c, pairs):
    rows = np.random.default_rng(0).multinomial(pairs, [b, c, 1 - b - c], 20_000)
    kinds, counts = np.unique(rows[:, :2], axis=0, return_counts=True)
    rejects = [mcnemar(int(one), int(other)) <= 0.05 for one, other in kinds]
    assert paired_power(b, c, pairs) == pytest.approx(counts @ rejects / counts.sum(), abs=0.012)


def test_pairs_for_a_power():
    b, c = discordant_rates(0.8, 0.7, 0.8)
    n = pairs_for(b, c)
    assert paired_power(b, c, n) >= 0.8 > paired_power(b, c, n - 5)
    assert n < unpaired_trials(0.8, 0.7) / 1.5  # trials of each arm
    assert pairs_for(0.2, 0.2) is None
    few = pairs_for(0.2575, 0.2425)  # between the last doubling and what is said to be too many
    assert 2**14 < few < 20_000
    assert paired_power(0.2575, 0.2425, few) >= 0.8 > paired_power(0.2575, 0.2425, few - 50)


@pytest.mark.parametrize("rates", [(0.8, 0.4), (0.8, 0.6)])
@pytest.mark.parametrize("chance", [0.5, 0.8])
def test_pairs_to_decide_are_where_such_comparisons_stop(rates, chance):
    a, b = (np.random.default_rng(seed).random((4000, 600)) < rate for seed, rate in enumerate(rates))
    stops = (running(a, b) >= THRESHOLD).argmax(axis=1) + 1
    expected = pairs_to_decide(rates[0] * (1 - rates[1]), rates[1] * (1 - rates[0]), chance=chance)
    assert expected == pytest.approx(np.quantile(stops, chance), rel=0.1)


def test_more_pairs_go_on_from_what_was_seen():
    assert more_pairs(PairTable(0, 20, 0, 0)) == 0
    assert more_pairs(PairTable(10, 0, 0, 10)) is None  # nothing tells them apart
    assert more_pairs(PairTable(10, 6, 6, 10)) is None
    near, far = more_pairs(PairTable(10, 10, 2, 10)), more_pairs(PairTable(10, 6, 2, 10))
    assert 0 < near < far
    assert more_pairs(PairTable(110, 10, 2, 110)) > 5 * near  # as rare again as pairs that end alike are common


def test_a_lone_win_promises_no_row_of_them():
    assert more_pairs(PairTable(9, 1, 0, 0)) > 7 * 10  # seven wins in a row would do, one in ten pairs tells apart


@pytest.mark.parametrize("call", [
    lambda: unpaired_trials(0.5, 0.5), lambda: unpaired_trials(1.5, 0.5), lambda: paired_power(0.7, 0.7, 10),
    lambda: discordant_rates(1.0, 0.5, 0.5), lambda: pairs_to_decide(-0.1, 0.5),
])
def test_refuses_what_are_no_rates(call):
    with pytest.raises(InvalidOption, match="rate"):
        call()
