"""Exact and posterior intervals against published and independently computed values, and their coverage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta, binom

from tandem.agent.evaluation.beta_intervals import clopper_pearson, jeffreys
from tandem.agent.evaluation.statistics import wilson
from tandem.bridge.contract import InvalidOption

METHODS = {"wilson": wilson, "clopper_pearson": clopper_pearson, "jeffreys": jeffreys}


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    # Newcombe 1998 (Statistics in Medicine 17, 857-872), table I, method 5 (Clopper-Pearson)
    [(81, 263, 0.2527, 0.3676), (15, 148, 0.0578, 0.1617), (0, 20, 0.0, 0.1684), (1, 29, 0.0009, 0.1776)],
)
def test_published_values(successes, trials, low, high):
    assert clopper_pearson(successes, trials) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    ("method", "successes", "trials", "low", "high"),
    # computed with scipy.stats.binomtest(...).proportion_ci (wilson, exact) and scipy.stats.beta (jeffreys)
    [
        ("wilson", 9, 10, 0.5958, 0.9821), ("clopper_pearson", 9, 10, 0.5550, 0.9975),
        ("jeffreys", 9, 10, 0.6186, 0.9890), ("wilson", 45, 50, 0.7864, 0.9565),
        ("clopper_pearson", 45, 50, 0.7819, 0.9667), ("jeffreys", 45, 50, 0.7946, 0.9608),
        ("wilson", 450, 500, 0.8706, 0.9233), ("clopper_pearson", 450, 500, 0.8703, 0.9249),
    ],
)
def test_what_is_told_of_nine_of_ten(method, successes, trials, low, high):
    assert METHODS[method](successes, trials) == pytest.approx((low, high), abs=1e-4)


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_exact_interval_inverts_the_binomial_tails(pair):
    k, n = pair
    low, high = clopper_pearson(k, n)
    assert low == 0 or binom.sf(k - 1, n, low) == pytest.approx(0.025, rel=1e-6)
    assert high == 1 or binom.cdf(k, n, high) == pytest.approx(0.025, rel=1e-6)
    assert clopper_pearson(n - k, n) == pytest.approx((1 - high, 1 - low))


@given(st.integers(2, 300).flatmap(lambda n: st.tuples(st.integers(1, n - 1), st.just(n))))
def test_jeffreys_is_the_posterior_and_lies_within_the_exact(pair):
    k, n = pair
    low, high = jeffreys(k, n)
    assert (low, high) == pytest.approx(tuple(beta.ppf([0.025, 0.975], k + 0.5, n - k + 0.5)))
    assert clopper_pearson(k, n)[0] < low < high < clopper_pearson(k, n)[1]


def test_nothing_tried_tells_nothing():
    assert {method(0, 0) for method in METHODS.values()} == {(0.0, 1.0)}


@pytest.mark.parametrize(("method", "of_10", "of_20"), [("wilson", 0.914, 0.925), ("clopper_pearson", 0.988, 0.984)])
def test_coverage_at_a_true_rate_of_95_percent(method, of_10, of_20):
    for n, expected in ((10, of_10), (20, of_20)):
        k = np.arange(n + 1)
        covers = [low <= 0.95 <= high for low, high in (METHODS[method](int(i), n) for i in k)]
        assert binom.pmf(k, n, 0.95) @ covers == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("bad", [(3, 2, 0.95), (-1, 2, 0.95), (1, 2, 1.0), (1, 2, 0.0)])
def test_refuses_what_is_no_rate(bad):
    for method in METHODS.values():
        with pytest.raises(InvalidOption, match="no rate"):
            method(*bad)
