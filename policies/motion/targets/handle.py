"""A bar that stands free in front of something higher: a handle, and the way it is pulled."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tandem.bridge.contract import Target

_SLENDER = 3.0  # times as long as wide
_THICK_M = 0.03
_FREE_M = 0.02  # above the table
_BESIDE_M = (0.015, 0.11)  # from the bar's middle: where what it hangs on is looked for


def with_outward(target: Target, points: np.ndarray) -> Target:
    """The target, with the direction in which it is pulled when it looks like a handle.

    A handle is a slender bar above the table; outward is the side of it on which things are lower.

    Args:
        target: what was recognised.
        points: (N, 3) what is seen around it, without the robot.
    """
    length, width = float(max(target.size[:2])), float(min(target.size[:2]))
    slender = length > _SLENDER * width and width < _THICK_M and target.surface[2] > _FREE_M
    if not slender:
        return target
    along = target.yaw_rad if target.size[0] >= target.size[1] else target.yaw_rad + np.pi / 2
    normal = np.array([-np.sin(along), np.cos(along), 0.0])
    sides = [_height(points, target, sign * normal, length) for sign in (1.0, -1.0)]
    return replace(target, outward=normal if sides[0] < sides[1] else -normal)


def _height(points: np.ndarray, target: Target, side: np.ndarray, length: float) -> float:
    """Mean height of what is seen beside the bar, on one side of it."""
    offset = points - target.surface
    away = offset[:, :2] @ side[:2]
    along = np.abs(offset[:, :2] @ np.array([-side[1], side[0]]))
    beside = (away > _BESIDE_M[0]) & (away < _BESIDE_M[1]) & (along < length / 2)
    return float(offset[beside, 2].mean()) if beside.any() else -1.0
