"""The smallest rectangle around points of the plane."""

from __future__ import annotations

import cv2
import numpy as np

_BAND_M, _MIDDLE, _INNERMOST = 0.006, 0.5, 0.15


class Rectangle:
    """The smallest rectangle around points.

    Args:
        points: (N, 2), metres.

    Attributes:
        centre: (2,).
        size: (2,) its long and its short side.
        yaw_rad: direction of its long side.
    """

    def __init__(self, points: np.ndarray):
        corners = cv2.boxPoints(cv2.minAreaRect(points.astype(np.float32))).astype(np.float64)
        self.centre = corners.mean(axis=0)
        first, second = corners[1] - corners[0], corners[2] - corners[1]
        along, across = (first, second) if np.hypot(*first) >= np.hypot(*second) else (second, first)
        self.size = np.array([np.hypot(*along), np.hypot(*across)])
        self.yaw_rad = float(np.arctan2(along[1], along[0])) if self.size[0] > 0 else 0.0

    @classmethod
    def within(cls, border: np.ndarray) -> Rectangle:
        """The rectangle that points (N, 2) of a border stand around: pixels beyond an edge are never before it."""
        rectangle = cls(border)
        local = (border - rectangle.centre) @ rectangle.axes.T
        sides = np.array([_side(local, axis, sign) for axis in (0, 1) for sign in (-1.0, 1.0)]).reshape(2, 2)
        rectangle.centre = rectangle.centre + sides.mean(axis=1) @ rectangle.axes
        rectangle.size = sides[:, 1] - sides[:, 0]
        return rectangle

    @property
    def axes(self) -> np.ndarray:
        """(2, 2) unit vectors of the long and the short side, as rows."""
        cosine, sine = np.cos(self.yaw_rad), np.sin(self.yaw_rad)
        return np.array([[cosine, sine], [-sine, cosine]])

    def holds(self, points: np.ndarray, margin_m: float) -> np.ndarray:
        """(N,) bool: points that lie within, at least `margin_m` from the border."""
        return (np.abs((points - self.centre) @ self.axes.T) < self.size / 2 - margin_m).all(axis=1)


def _side(local: np.ndarray, axis: int, sign: float) -> float:
    """Where one side is, from the points along its middle: the innermost but a few."""
    half = np.abs(local).max(axis=0)
    outward = sign * local[:, axis]
    middle = (np.abs(local[:, 1 - axis]) < _MIDDLE * half[1 - axis]) & (outward > half[axis] - _BAND_M)
    chosen = outward[middle] if middle.any() else outward[outward > half[axis] - _BAND_M]
    return sign * float(np.quantile(chosen, _INNERMOST))
