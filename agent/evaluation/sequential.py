"""Evidence that may be looked at after every pair: an e-process on the discordant pairs, and what it leaves possible.

If neither system is better, a discordant pair is a fair coin. A gambler who bets on it with the mixture of Krichevsky
and Trofimov (1981) multiplies the stake by 20 with a probability of at most 1/20, *ever* (Ville 1939; Shafer 2021;
Ramdas et al. 2023): so one may look whenever one likes, stop when it is enough, and go on when it is not.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaln

from tandem.bridge.contract import InvalidOption

THRESHOLD = 20.0
"""Decided from here on: at most one in twenty comparisons of equals ever gets there."""
_BISECTIONS = 60  # leaves an error below the rounding of a float64


def log_e_value(only_first: ArrayLike, only_second: ArrayLike) -> np.ndarray:
    """Natural logarithm of `e_value`, for arrays of counts (real-valued ones too)."""
    b, c = np.asarray(only_first, float), np.asarray(only_second, float)
    if np.any(b < 0) or np.any(c < 0):
        raise InvalidOption("counts of pairs cannot be negative")
    return (b + c) * math.log(2) + betaln(b + 0.5, c + 0.5) - math.log(math.pi)


def e_value(only_first: int, only_second: int) -> float:
    """Evidence that one of the two is better; 1 before the first discordant pair.

    The likelihood of the wins under a share drawn from Beta(1/2, 1/2), over that under a fair coin. Two-sided; which
    of the two is better is said by who has won more.
    """
    return float(np.exp(np.minimum(log_e_value(only_first, only_second), 700.0)))


def running(first: ArrayLike, second: ArrayLike) -> np.ndarray:
    """The e-value after each pair, for plots and for stopping.

    Args:
        first: (..., n) successes of the first system, in the order of the pairs.
        second: (..., n) of the second.
    """
    a, b = np.asarray(first, bool), np.asarray(second, bool)
    if a.shape != b.shape:
        raise InvalidOption(f"pairs need two rows of the same length, got shapes {a.shape} and {b.shape}")
    logs = log_e_value(np.cumsum(a & ~b, axis=-1), np.cumsum(~a & b, axis=-1))
    return np.exp(np.minimum(logs, 700.0))


def confidence_sequence(only_first: int, only_second: int, confidence: float = 0.95) -> tuple[float, float]:
    """Which shares of the discordant pairs the first may win in truth; holds at every moment at once.

    The shares against which the same mixture has not yet won 1 / (1 - confidence) (Robbins 1970). A half lies outside
    exactly when the e-value of the two systems has passed that threshold.
    """
    if not 0 < confidence < 1:
        raise InvalidOption(f"confidence lies between 0 and 1, got {confidence}")
    b, c = only_first, only_second
    if b + c == 0:
        return 0.0, 1.0
    limit = -math.log(1 - confidence)
    mixture = float(log_e_value(b, c)) - (b + c) * math.log(2)

    def possible(share: float) -> bool:
        coin = (b * math.log(share) if b else 0.0) + (c * math.log1p(-share) if c else 0.0)
        return mixture - coin < limit

    likeliest = b / (b + c)
    low = 0.0 if b == 0 else _edge(possible, 0.0, likeliest)
    high = 1.0 if c == 0 else _edge(possible, 1.0, likeliest)
    return low, high


def _edge(possible: Callable[[float], bool], outside: float, inside: float) -> float:
    """Where what is possible begins, between a share that is not and one that is."""
    for _ in range(_BISECTIONS):
        middle = (outside + inside) / 2
        if possible(middle):
            inside = middle
        else:
            outside = middle
    return outside
