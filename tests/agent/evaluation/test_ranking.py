"""A ranking of many systems: the model's own equations, ties, an unbeaten system, and the intervals' coverage."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import ndtri

from tandem.agent.evaluation.ranking import rank, scores, strengths
from tandem.bridge.contract import InvalidOption


def _episodes(rates, episodes, rng, correlation=0.5):
    """Successes of systems whose luck lies half in the initial state."""
    scene, own = rng.standard_normal((episodes, 1)), rng.standard_normal((episodes, len(rates)))
    return np.sqrt(correlation) * scene + np.sqrt(1 - correlation) * own < ndtri(rates)


def test_strengths_are_of_greatest_likelihood():
    """Against a general optimiser on the log-likelihood, written out."""
    score = np.array([[0, 12.5, 20], [7.5, 0, 15], [4, 9, 0]])

    def loss(s):
        return sum(score[i, j] * np.log1p(np.exp(s[j] - s[i])) for i in range(3) for j in range(3) if i != j)

    found = minimize(loss, np.zeros(3), tol=1e-12).x
    assert strengths(score[None])[0] == pytest.approx(found - found.mean(), abs=1e-4)


def test_of_two_systems_strength_is_the_log_odds_of_doing_better():
    won = np.array([[1, 0]] * 30 + [[0, 1]] * 10 + [[1, 1]] * 20, bool)
    [score] = scores(won, np.ones((1, 60)))
    assert score.tolist() == [[0, 40], [20, 0]]
    assert np.subtract(*strengths(score[None])[0]) == pytest.approx(np.log(2))


def test_the_strongest_comes_first_and_equals_are_not_told_apart():
    ranked = rank("abc", _episodes([0.5, 0.9, 0.5], 200, np.random.default_rng(0)))
    assert ranked[0].name == "b"
    assert ranked[0].first > 0.999
    assert ranked[0].low > ranked[1].high
    assert ranked[2].high > ranked[1].strength > ranked[1].low < ranked[2].strength
    assert sum(one.strength for one in ranked) == pytest.approx(0)
    assert sum(one.first for one in ranked) == pytest.approx(1)


def test_an_unbeaten_system_is_neither_infinitely_strong_nor_certainly_so():
    best, *_ = rank("ab", [[1, 0]] * 10)
    assert best.name == "a"
    assert best.low + 0.5 < best.strength < best.high - 0.5 < 5
    short, *_ = rank("ab", [[1, 0]] * 3)
    assert short.low < best.low


def test_systems_that_always_end_alike_are_equal():
    one, other = rank("ab", [[1, 1], [0, 0]] * 10)
    assert one.strength == pytest.approx(other.strength)
    assert one.low < -0.01 < 0.01 < one.high


@pytest.mark.parametrize("episodes", [10, 50])
def test_intervals_cover_what_endless_episodes_would_show(episodes):
    rng, rates = np.random.default_rng(0), np.array([0.5, 0.6, 0.8])
    endless = _episodes(rates, 500_000, rng)
    truth = dict(zip("abc", strengths(scores(endless, np.ones((1, len(endless)))))[0], strict=True))
    covered = [one.low <= truth[one.name] <= one.high for _ in range(300)
               for one in rank("abc", _episodes(rates, episodes, rng), resamples=400)]
    assert 0.92 < np.mean(covered) < 0.99


def test_the_same_episodes_give_the_same_ranking():
    won = _episodes([0.4, 0.6], 40, np.random.default_rng(1))
    assert rank("ab", won) == rank("ab", won)


@pytest.mark.parametrize("outcomes", [[[1, 0]], np.zeros((0, 3)), [1, 0, 1]])
def test_refuses_what_is_no_ranking(outcomes):
    with pytest.raises(InvalidOption, match="ranks need"):
        rank("abc", outcomes)
