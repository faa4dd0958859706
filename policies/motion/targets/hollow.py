"""Containers seen from above: a patch of floor, or the inside of a hole, that is walled in on all sides.

In the picture the inside of a container is what is lower than its walls, and its border there is where the walls
begin: the inner edge of the rim on the camera's side, the foot or the face of the wall on the other. So the border
alone gives the inside's outline, however much of the floor is hidden.
"""

from __future__ import annotations

import cv2
import numpy as np

from tandem.bridge.contract import Target
from tandem.policies.motion.targets.rectangle import Rectangle
from tandem.policies.motion.targets.region import connected, window
from tandem.policies.motion.targets.view import View

_STEP_M = 0.006  # a wall is at least this high
_LEVEL_M = 0.0025
_WALLED = 0.7  # share of a floor's border at which it must go up
_FEWEST = 6  # pixels
_BAND_PX = 5  # from the inside out: where the rim is looked for


def recognise_hollow(view: View, row: int, column: int, robot: np.ndarray) -> Target | None:
    """The container whose inside a pixel shows; None when it shows anything else.

    Args:
        view: the picture.
        row: of the pixel.
        column: of the pixel.
        robot: (h, w) bool of the window around the pixel: what shows the robot.
    """
    rows, columns = window(view, row, column)
    points = view.points[rows, columns]
    inside = row - rows.start, column - columns.start
    heights, seed = points[..., 2], float(points[inside][2])
    if not (_upright(points, inside) or _goes_up(heights, seed, inside)):
        return None
    within = connected(heights < seed + _STEP_M, inside)
    if _leaks(within) or within.sum() < _FEWEST:
        return None
    border = _around(within, 3) & ~robot
    if border.sum() < _FEWEST:
        return None
    rectangle = Rectangle.within(points[border][:, :2].astype(np.float64))
    rim = float(np.percentile(heights[_around(within, _BAND_PX) & ~robot], 80))
    floor = _floor(heights[within], seed)
    return Target(
        np.array([*rectangle.centre, floor]), np.array([*rectangle.size, rim]), rectangle.yaw_rad, max(rim, floor)
    )


def recognise_mouth(view: View, row: int, column: int, robot: np.ndarray) -> Target | None:
    """A hole whose inside a pixel shows, as a target: the middle of its mouth, and its depth."""
    hollow = recognise_hollow(view, row, column, robot)
    if hollow is None:
        return None
    return Target(
        np.array([*hollow.surface[:2], hollow.rim_z_m]), np.array([*hollow.size[:2], hollow.rim_z_m]),
        hollow.yaw_rad, hollow.rim_z_m,
    )


def _around(mask: np.ndarray, size: int) -> np.ndarray:
    return (cv2.dilate(mask.astype(np.uint8), np.ones((size, size), np.uint8)) > 0) & ~mask


def _leaks(within: np.ndarray) -> bool:
    return bool(within[0].any() or within[-1].any() or within[:, 0].any() or within[:, -1].any())


def _goes_up(heights: np.ndarray, seed: float, inside: tuple[int, int]) -> bool:
    """The level patch around the pixel ends at something higher nearly everywhere."""
    patch = connected(np.abs(heights - seed) < _LEVEL_M, inside)
    if _leaks(patch):
        return False
    beyond = heights[_around(patch, 5)]
    up, down = (beyond > seed + _STEP_M / 2).sum(), (beyond < seed - _STEP_M / 2).sum()
    return bool(up > _WALLED * max(1, up + down))


def _upright(points: np.ndarray, inside: tuple[int, int]) -> bool:
    """The pixel shows a wall rather than a floor: height changes faster than place does."""
    row, column = inside
    if not (0 < row < points.shape[0] - 1):
        return False
    step = points[row + 1, column] - points[row - 1, column]
    return bool(abs(step[2]) > np.hypot(step[0], step[1]) and abs(step[2]) < 0.03)


def _floor(heights: np.ndarray, seed: float) -> float:
    """Height of the floor: the lowest level of which much is to be seen."""
    return float(min(seed, np.percentile(heights, 20)))
