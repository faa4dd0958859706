"""The paired test and the paired difference, against published values, an independent sum, and by coverage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from tandem.agent.evaluation.pairs import PairTable, mcnemar, paired_difference
from tandem.bridge.contract import InvalidOption

COUNTS = st.integers(0, 60)
TABLES = st.builds(PairTable, COUNTS, COUNTS, COUNTS, COUNTS)

# Airway hyper-responsiveness before and after stem cell transplantation, 21 children (Bentur et al. 2009), as analysed
# by Fagerland, Lydersen and Laake (Statistics in Medicine 33, 2014): exact p = 0.0703, square-and-add -0.507 .. -0.026
AIRWAYS = PairTable(1, 1, 7, 12)


def test_published_values():
    assert mcnemar(1, 7) == pytest.approx(0.0703, abs=5e-5)
    assert AIRWAYS.difference == pytest.approx(-0.286, abs=5e-4)
    assert paired_difference(AIRWAYS) == pytest.approx((-0.507, -0.026), abs=5e-4)


@given(COUNTS, COUNTS)
def test_mcnemar_is_the_sign_test_of_the_discordant(b, c):
    expected = binomtest(b, b + c).pvalue if b + c else 1.0
    assert mcnemar(b, c) == pytest.approx(expected) == mcnemar(c, b)


@given(TABLES)
def test_the_difference_lies_within_and_mirrors(table):
    low, high = paired_difference(table)
    other = paired_difference(PairTable(table.both, table.only_second, table.only_first, table.neither))
    assert -1 <= low <= table.difference <= high <= 1
    assert other == pytest.approx((-high, -low))


def test_ten_pairs_that_end_alike_prove_no_equality():
    low, high = paired_difference(PairTable(10, 0, 0, 0))
    assert low < -0.2
    assert high > 0.2
    assert paired_difference(PairTable(0, 0, 0, 0)) == (-1, 1)


def test_correlated_pairs_narrow_the_interval():
    alike, apart = PairTable(50, 10, 5, 35), PairTable(33, 27, 22, 18)  # the same rates
    assert alike.successes == apart.successes
    assert np.diff(paired_difference(alike)) < 0.75 * np.diff(paired_difference(apart))


@pytest.mark.parametrize("shares", [(0.6, 0.2, 0.1, 0.1), (0.85, 0.08, 0.02, 0.05), (0.3, 0.2, 0.2, 0.3)])
@pytest.mark.parametrize("pairs", [20, 100])
def test_coverage_is_near_nominal(shares, pairs):
    rng = np.random.default_rng(0)
    covered = [low <= shares[1] - shares[2] <= high for low, high in (
        paired_difference(PairTable(*map(int, row))) for row in rng.multinomial(pairs, shares, 2000))]
    assert np.mean(covered) > 0.93  # wide where few pairs tell apart


def test_counts_come_from_outcomes_in_the_same_order():
    assert PairTable.of([1, 1, 0, 0, 1], [1, 0, 1, 0, 0]) == PairTable(1, 2, 1, 1)
    with pytest.raises(InvalidOption, match="same length"):
        PairTable.of([1, 0], [1])
    with pytest.raises(InvalidOption, match="negative"):
        PairTable(1, -1, 0, 0)
    with pytest.raises(InvalidOption, match="negative"):
        mcnemar(-1, 0)
