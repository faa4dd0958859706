"""Wilson's interval against published values, and its coverage by simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.agent.evaluation.statistics import wilson
from tandem.bridge.contract import InvalidOption


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    # Newcombe 1998, table I, method 3 (score method without continuity correction)
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_published_values(successes, trials, low, high):
    assert wilson(successes, trials) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_holds_the_rate_and_mirrors(pair):
    k, n = pair
    low, high = wilson(k, n)
    assert 0 <= low <= k / n <= high <= 1
    assert wilson(n - k, n) == pytest.approx((1 - high, 1 - low))


def test_coverage_is_near_nominal():
    rng = np.random.default_rng(0)
    draws = rng.binomial(50, 0.95, 4000)
    covered = np.mean([low <= 0.95 <= high for low, high in (wilson(int(k), 50) for k in draws)])
    assert 0.93 < covered < 0.98


def test_refuses_what_is_no_rate():
    with pytest.raises(InvalidOption, match="3 of 2"):
        wilson(3, 2)
