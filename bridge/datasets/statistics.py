"""What a dataset says of its numbers: extremes, mean, deviation, and quantiles of the values themselves.

LeRobot merges the quantiles of episodes into an envelope, which is no quantile; policies that normalise by q01 and q99
(pi0.5) then see another scale. Here they are computed over every row, and for pictures over every frame.
"""

from __future__ import annotations

from typing import Any

import numpy as np

QUANTILES = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}
_LEVELS = 256  # of a uint8 picture
_SIDE = 150  # pixels: larger pictures are thinned out to about this


def describe(rows: np.ndarray) -> dict[str, list[Any]]:
    """Statistics of (T, n) or (T,) numbers, each a list of n, and `count`, a list of one."""
    rows = np.asarray(rows, np.float64).reshape(len(rows), -1)
    quantiles = np.quantile(rows, list(QUANTILES.values()), axis=0)
    return {
        "min": rows.min(axis=0).tolist(), "max": rows.max(axis=0).tolist(), "mean": rows.mean(axis=0).tolist(),
        "std": rows.std(axis=0).tolist(), "count": [len(rows)],
        **{name: values.tolist() for name, values in zip(QUANTILES, quantiles, strict=True)},
    }


class PictureStatistics:
    """Counts the levels of the pictures of one camera, so that every statistic is exact in bounded memory.

    Attributes:
        frames: how many pictures were counted.
    """

    def __init__(self):
        self.frames, self._counts = 0, np.zeros((3, _LEVELS), np.int64)

    def add(self, image: np.ndarray) -> None:
        """Count one uint8 (H, W, 3)."""
        thinned = image[:: max(1, image.shape[0] // _SIDE), :: max(1, image.shape[1] // _SIDE)]
        for channel in range(3):
            self._counts[channel] += np.bincount(thinned[..., channel].reshape(-1), minlength=_LEVELS)
        self.frames += 1

    def merge(self, other: PictureStatistics) -> None:
        """Count what another has counted."""
        self.frames += other.frames
        self._counts += other._counts

    def describe(self) -> dict[str, list[Any]]:
        """Statistics by channel in [0, 1], each of shape (3, 1, 1) as lists, and `count`, the number of pictures."""
        levels = np.arange(_LEVELS) / (_LEVELS - 1)
        total = self._counts.sum(axis=1)
        mean = self._counts @ levels / total
        square = self._counts @ levels**2 / total
        seen = [np.flatnonzero(counts) for counts in self._counts]
        values = {
            "min": levels[[low[0] for low in seen]], "max": levels[[high[-1] for high in seen]], "mean": mean,
            "std": np.sqrt(np.maximum(square - mean**2, 0.0)),
            **{name: self._quantile(fraction) for name, fraction in QUANTILES.items()},
        }
        return {**{name: value.reshape(3, 1, 1).tolist() for name, value in values.items()}, "count": [self.frames]}

    def _quantile(self, fraction: float) -> np.ndarray:
        """Linear between the two values beside the place asked for, as numpy does it."""
        found = []
        for counts in self._counts:
            upto = np.cumsum(counts)
            place = fraction * (upto[-1] - 1)
            low, high = np.searchsorted(upto, [np.floor(place), np.ceil(place)], side="right")
            found.append(low + (high - low) * (place - np.floor(place)))
        return np.array(found) / (_LEVELS - 1)
