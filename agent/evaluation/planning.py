"""How many episodes a question costs: power of pairs and of unpaired trials, and how many more until it is decided.

Rates are what one expects (or has seen so far); answers are as good as they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
from scipy.special import bdtr, gammaln, ndtr

from tandem.agent.evaluation.pairs import PairTable
from tandem.agent.evaluation.sequential import THRESHOLD, log_e_value
from tandem.bridge.contract import InvalidOption

MOST = 3000
"""Beyond this many discordant pairs more the answer is that no end is in sight."""
_MOST_PAIRS = 20_000
_NEGLIGIBLE = 1e-12
_NORMAL = NormalDist()


def unpaired_trials(first: float, second: float, *, power: float = 0.8, alpha: float = 0.05) -> int:
    """Trials of each system so that a two-sided test of two unpaired rates finds the difference with this power.

    The usual formula of the pooled z-test, without continuity correction (Fleiss, Levin and Paik 2003, section 4.2).
    """
    _check_rates(first, second, power, alpha)
    if first == second:
        raise InvalidOption(f"equal rates ({first:g}) are never told apart: expect a difference")
    spread = _NORMAL.inv_cdf(1 - alpha / 2) * _pooled(first, second) + _NORMAL.inv_cdf(power) * _apart(first, second)
    return math.ceil((spread / (first - second)) ** 2)


def unpaired_power(first: float, second: float, trials: int, *, alpha: float = 0.05) -> float:
    """Power of that test with so many trials of each system."""
    _check_rates(first, second, alpha)
    excess = math.sqrt(trials) * abs(first - second) - _NORMAL.inv_cdf(1 - alpha / 2) * _pooled(first, second)
    return _NORMAL.cdf(excess / _apart(first, second)) if _apart(first, second) else float(excess > 0)


def paired_power(only_first: float, only_second: float, pairs: int, *, alpha: float = 0.05) -> float:
    """Power of McNemar's exact test, by summing over how many of the pairs are discordant.

    Args:
        only_first: share of pairs that only the first wins.
        only_second: that only the second wins.
        pairs: how many are run.
        alpha: level of the test.
    """
    _check_rates(only_first, only_second, only_first + only_second, alpha)
    discordant = only_first + only_second
    if discordant == 0 or pairs == 0:
        return 0.0
    m = np.arange(pairs + 1)
    k, share = _largest_rejected(m, alpha), only_first / discordant
    found = np.where(k >= 0, bdtr(np.maximum(k, 0), m, share) + bdtr(np.maximum(k, 0), m, 1 - share), 0.0)
    return float(np.sum(_binomial(m, pairs, discordant) * found))


def pairs_for(only_first: float, only_second: float, *, power: float = 0.8, alpha: float = 0.05) -> int | None:
    """Pairs with which McNemar's exact test has this power; None when 20 000 are too few. Power is not
    quite monotone: with a few pairs more it may fall a little short."""
    _check_rates(power)
    return _first_from(lambda n: paired_power(only_first, only_second, n, alpha=alpha) >= power, _MOST_PAIRS)


def pairs_to_decide(
    only_first: float, only_second: float, *, chance: float = 0.5, threshold: float = THRESHOLD
) -> int | None:
    """Pairs within which the e-value passes the threshold with this chance, looking after each of them.

    `chance` 0.5 is the median of where one stops, 0.8 what one would plan for; None when `MOST` discordant pairs are
    too few.
    """
    _check_rates(only_first, only_second, only_first + only_second, chance)
    discordant = only_first + only_second
    return _pairs((0, 0), discordant, only_first / discordant, chance, threshold) if discordant else None


def more_pairs(table: PairTable, *, chance: float = 0.5, threshold: float = THRESHOLD) -> int | None:
    """About how many pairs more until the e-value passes the threshold, if it goes on as it went; 0 when it has.

    The share of discordant pairs that the first wins is taken as its posterior mean under the e-value's own prior, so
    that a lone win does not promise a row of them. None when nothing tells the two apart, or `MOST` would not do.
    """
    b, c = table.only_first, table.only_second
    if table.discordant == 0:
        return None
    share = (b + 0.5) / (b + c + 1)
    return _pairs((b, c), table.discordant / table.pairs, share, chance, threshold)


def discordant_rates(first: float, second: float, correlation: float) -> tuple[float, float]:
    """Shares of pairs that only the first, and only the second wins, when episodes are hard or easy for both.

    Each system succeeds where a normal variable lies below its quantile; `correlation` (0 .. 1) is that of the two
    variables, the part of luck that lies in the initial state.
    """
    _check_rates(first, second, correlation)
    if not (0 < first < 1 and 0 < second < 1 and correlation < 1):
        raise InvalidOption("rates lie between 0 and 1, the correlation below 1")
    nodes, weights = np.polynomial.hermite_e.hermegauss(101)  # the scene's part, integrated out
    scene, own = math.sqrt(correlation) * nodes, math.sqrt(1 - correlation)
    one, other = (ndtr((_NORMAL.inv_cdf(rate) - scene) / own) for rate in (first, second))
    both = float(np.sum(weights * one * other) / np.sum(weights))
    return first - both, second - both


def _pairs(start: tuple[int, int], discordant: float, share: float, chance: float, threshold: float) -> int | None:
    if log_e_value(*start) >= math.log(threshold):
        return 0
    flips = _flips(start, share, chance, threshold)
    return None if flips is None else math.ceil(flips / discordant)


def _flips(start: tuple[int, int], share: float, chance: float, threshold: float) -> int | None:
    """Discordant pairs more until the chance of having passed the threshold is reached: exact, pair by pair."""
    going, limit = np.ones(1), math.log(threshold)  # probability of each number of wins among those not stopped yet
    for flips in range(1, MOST + 1):
        going = np.append(going * (1 - share), 0.0) + np.append(0.0, going * share)
        wins = np.arange(flips + 1)
        alive = going > _NEGLIGIBLE
        stopped = np.zeros(flips + 1, bool)
        stopped[alive] = log_e_value(start[0] + wins[alive], start[1] + flips - wins[alive]) >= limit
        going[stopped] = 0.0
        if going.sum() <= 1 - chance:
            return flips
    return None


def _first_from(true: Callable[[int], bool], most: int) -> int | None:
    """The smallest number from which something is true, by doubling and halving; None beyond `most`."""
    low, high = 0, 1
    while not true(high):
        if high == most:
            return None
        low, high = high, min(2 * high, most)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if true(middle) else (middle, high)
    return high


def _largest_rejected(m: np.ndarray, alpha: float) -> np.ndarray:
    """Largest minority of m discordant pairs at which McNemar's exact test rejects, -1 when none does."""
    k = np.floor(m / 2 - _NORMAL.inv_cdf(1 - alpha / 2) * np.sqrt(m) / 2) + 2
    k = np.clip(k, -1, m // 2)
    for _ in range(5):  # the normal approximation is never further off
        k = np.where((k >= 0) & (2 * bdtr(np.maximum(k, 0), m, 0.5) > alpha), k - 1, k)
    return k


def _binomial(k: np.ndarray, n: int, rate: float) -> np.ndarray:
    if rate >= 1:
        return (k == n).astype(float)
    ways = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    return np.exp(ways + k * math.log(rate) + (n - k) * math.log1p(-rate))


def _pooled(first: float, second: float) -> float:
    mean = (first + second) / 2
    return math.sqrt(2 * mean * (1 - mean))


def _apart(first: float, second: float) -> float:
    return math.sqrt(first * (1 - first) + second * (1 - second))


def _check_rates(*rates: float) -> None:
    for rate in rates:
        if not 0 <= rate <= 1:
            raise InvalidOption(f"a rate lies between 0 and 1, got {rate:g}")
