"""Two systems on the same episodes: what only one of them wins, an exact test, and the difference with its interval.

Episodes that begin in the same state are easy or hard for both; only those that end differently tell the two apart.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import bdtr

from tandem.agent.evaluation.statistics import wilson
from tandem.bridge.contract import InvalidOption


@dataclass(frozen=True)
class PairTable:
    """How many matched episodes ended how.

    Attributes:
        both: succeeded with both systems.
        only_first: with the first alone.
        only_second: with the second alone.
        neither: with none.
    """

    both: int
    only_first: int
    only_second: int
    neither: int

    def __post_init__(self):
        if min(self.both, self.only_first, self.only_second, self.neither) < 0:
            raise InvalidOption(f"counts of pairs cannot be negative: {self}")

    @classmethod
    def of(cls, first: ArrayLike, second: ArrayLike) -> PairTable:
        """Of the successes of each system, in the same order of episodes."""
        a, b = np.asarray(first, bool), np.asarray(second, bool)
        if a.shape != b.shape or a.ndim != 1:
            raise InvalidOption(f"pairs need two rows of the same length, got shapes {a.shape} and {b.shape}")
        return cls(*(int(np.sum(kind)) for kind in (a & b, a & ~b, ~a & b, ~a & ~b)))

    @property
    def pairs(self) -> int:
        """Matched episodes."""
        return self.both + self.only_first + self.only_second + self.neither

    @property
    def discordant(self) -> int:
        """Of them those that ended differently."""
        return self.only_first + self.only_second

    @property
    def successes(self) -> tuple[int, int]:
        """Of the first and of the second."""
        return self.both + self.only_first, self.both + self.only_second

    @property
    def difference(self) -> float:
        """Success rate of the first less that of the second, 0 without a pair."""
        return (self.only_first - self.only_second) / self.pairs if self.pairs else 0.0


def mcnemar(only_first: int, only_second: int) -> float:
    """Two-sided p-value of McNemar's test, exact and conditional on the discordant pairs (McNemar 1947).

    It holds for a number of pairs that was fixed beforehand; who looks again and again uses `sequential.e_value`.
    """
    if min(only_first, only_second) < 0:
        raise InvalidOption(f"counts of pairs cannot be negative: {only_first}, {only_second}")
    return float(min(1.0, 2 * bdtr(min(only_first, only_second), only_first + only_second, 0.5)))


def paired_difference(table: PairTable, confidence: float = 0.95) -> tuple[float, float]:
    """Interval of the first rate less the second: Newcombe's method 10 (Statistics in Medicine 17, 1998, 2635-2650).

    Wilson's intervals of both rates, put together by the correlation of the pairs. All of [-1, 1] without a pair.
    """
    if table.pairs == 0:
        return -1.0, 1.0
    first, second = (_margins(k, table.pairs, confidence) for k in table.successes)
    phi = _correlation(table)
    below = _combined(first[0], second[1], phi)
    above = _combined(first[1], second[0], phi)
    return max(-1.0, table.difference - below), min(1.0, table.difference + above)


def _margins(successes: int, trials: int, confidence: float) -> tuple[float, float]:
    """How far Wilson's interval reaches below and above a rate."""
    low, high = wilson(successes, trials, confidence)
    return successes / trials - low, high - successes / trials


def _combined(one: float, other: float, phi: float) -> float:
    return math.sqrt(max(0.0, one * one - 2 * phi * one * other + other * other))


def _correlation(table: PairTable) -> float:
    """Of the two outcomes, with method 10's continuity correction; 0 when one system always ends alike."""
    a, b, c, d = table.both, table.only_first, table.only_second, table.neither
    scale = math.sqrt((a + b) * (c + d) * (a + c) * (b + d))
    excess = a * d - b * c
    if excess > 0:
        excess = max(excess - table.pairs / 2, 0.0)
    return excess / scale if scale else 0.0
