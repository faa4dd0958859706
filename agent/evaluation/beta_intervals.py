"""Intervals of a rate from quantiles of the beta distribution: one with a guarantee, one that is a posterior.

Wilson's interval (`statistics.wilson`) is the default; Clopper-Pearson is for when at least the stated confidence has
to be kept whatever the rate, Jeffreys for when a belief is wanted.
"""

from __future__ import annotations

from scipy.special import betaincinv

from tandem.bridge.contract import InvalidOption


def clopper_pearson(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Exact interval of a rate (Clopper and Pearson 1934): covers with at least `confidence`, often with more."""
    tail = _tail(successes, trials, confidence)
    failures = trials - successes
    low = 0.0 if successes == 0 else betaincinv(successes, failures + 1, tail)
    high = 1.0 if failures == 0 else betaincinv(successes + 1, failures, 1 - tail)
    return float(low), float(high)


def jeffreys(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Equal-tailed posterior interval under Jeffreys' prior Beta(1/2, 1/2), with the ends that Brown, Cai and DasGupta
    (2001) give it: 0 without a success, 1 without a failure."""
    tail = _tail(successes, trials, confidence)
    a, b = successes + 0.5, trials - successes + 0.5
    low = 0.0 if successes == 0 else betaincinv(a, b, tail)
    high = 1.0 if successes == trials else betaincinv(a, b, 1 - tail)
    return float(low), float(high)


def _tail(successes: int, trials: int, confidence: float) -> float:
    if not (0 <= successes <= trials and 0 < confidence < 1):
        raise InvalidOption(f"no rate: {successes} of {trials} at confidence {confidence}")
    return (1 - confidence) / 2
