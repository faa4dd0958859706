"""Intervals for success rates. No rate is shown without one."""

from __future__ import annotations

import math
from statistics import NormalDist

from tandem.bridge.contract import InvalidOption


def wilson(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a rate (Wilson 1927), the whole of [0, 1] when nothing was tried.

    Args:
        successes: 0 .. trials.
        trials: how many were tried.
        confidence: of the two-sided interval.
    """
    if not (0 <= successes <= trials and 0 < confidence < 1):
        raise InvalidOption(f"no rate: {successes} of {trials} at confidence {confidence}")
    if trials == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    rate, weight = successes / trials, 1 + z * z / trials
    centre = (rate + z * z / (2 * trials)) / weight
    half = z / weight * math.sqrt(rate * (1 - rate) / trials + z * z / (4 * trials * trials))
    low = 0.0 if successes == 0 else centre - half  # exact at the ends, whatever rounding does
    high = 1.0 if successes == trials else centre + half
    return low, high
