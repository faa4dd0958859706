"""The times that one hop took, many times: percentiles, and a small histogram."""

from __future__ import annotations

import math

import numpy as np

BINS = 30
INDENT = "\n     "
_BARS = " ▁▂▃▄▅▆▇█"


def spread(took_us: np.ndarray) -> str:
    """Two lines: percentiles, and a histogram on a logarithmic scale."""
    p50, p90, p99 = np.percentile(took_us, [50, 90, 99])
    return f"p50 {p50:.0f}, p90 {p90:.0f}, p99 {p99:.0f}, max {took_us.max():.0f} us{INDENT}{histogram(took_us)}"


def histogram(took_us: np.ndarray) -> str:
    """Bars from one round number to another; whatever occurred at all can be seen."""
    us = np.maximum(took_us, 1.0)
    low, high = _below(us.min()), _above(us.max())
    edges = np.geomspace(low, high, BINS + 1)
    counts = np.bincount(np.clip(np.searchsorted(edges, us, side="right") - 1, 0, BINS - 1), minlength=BINS)
    return f"{_words(low)} {bars(counts)} {_words(high)}"


def bars(counts: np.ndarray) -> str:
    """One character for each count."""
    most = max(int(counts.max()), 1)
    return "".join(_BARS[math.ceil(count / most * (len(_BARS) - 1))] for count in counts)


def _below(us: float) -> float:
    """The next of 1, 2, 5, 10, 20, ... downwards."""
    decade = 10.0 ** math.floor(math.log10(us))
    return max(digit for digit in (1, 2, 5) if digit * decade <= us or digit == 1) * decade


def _above(us: float) -> float:
    """The next upwards; never `us` itself."""
    decade = 10.0 ** math.floor(math.log10(us))
    return min(digit for digit in (2, 5, 10, 20) if digit * decade > us) * decade


def _words(us: float) -> str:
    return f"{us:g} us" if us < 1000 else f"{us / 1000:g} ms" if us < 1e6 else f"{us / 1e6:g} s"
