"""The mouth of a hole seen from above by a camera near to it: its middle and its turn to fractions of a pixel.

The mouth is what the level rim encloses. Its middle is the centroid of all the pixels inside, lifted onto the rim's
plane, so that the error of single pixels at the edge averages out. Its turn comes from the moments of the same pixels:
the second for an oblong mouth; the fourth for a square one, whose second has no direction (an N-fold symmetric shape is
oriented by its complex moment of order N: Flusser and Suk, "Rotation Moment Invariants for Recognition of Symmetric
Objects", IEEE Transactions on Image Processing 15(12), 2006).
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from tandem.bridge.contract import FailureCode, SkillFailed, Target
from tandem.policies.motion.pose import wrapped
from tandem.policies.motion.targets.outline import Outline
from tandem.policies.motion.targets.region import connected, window
from tandem.policies.motion.targets.view import View

_RIM_M = 0.02  # beside the mouth: as much of the rim as is looked at
_OFF_M = 0.015  # the rim may be this much higher or lower than believed
_LEVEL_M = 0.0012
_SIZES = (0.7, 1.5)  # seen over believed side
_OBLONG = 1.15  # long over short side from which the second moment tells the turn
_FEWEST = 60  # pixels


def mouth_from_above(view: View, believed: Target, outline: Outline) -> Target:
    """The target with its middle, height and turn as this view shows them.

    Args:
        view: of a camera roughly above the mouth.
        believed: the mouth as known so far, off by less than half its width.
        outline: which pixels show the robot.

    Raises:
        SkillFailed: `OBJECT_NOT_FOUND` when the mouth is not to be seen whole.
    """
    row, column = view.project(believed.surface)
    height, width = view.depth.shape
    if not (0 <= row < height and 0 <= column < width):
        raise _unseen(view, "it lies outside the picture")
    side = float(believed.size[:2].max())
    rows, columns = window(view, row, column, 0.75 * side + _RIM_M)
    z = view.points[rows, columns][..., 2]
    rim_m = _rim(view, z[np.abs(z - believed.surface[2]) < _OFF_M])
    inside = _enclosed(view, np.abs(z - rim_m) < _LEVEL_M, (row - rows.start, column - columns.start))
    robot = outline.hides(view, rows, columns).astype(np.uint8)
    if (inside & (cv2.dilate(robot, np.ones((3, 3), np.uint8)) > 0)).any():
        raise _unseen(view, "the robot hides part of it")
    points, weights = _on_plane(view, np.argwhere(inside) + (rows.start, columns.start), rim_m)
    seen = np.sqrt(float(weights.sum()) / float(believed.size[:2].prod()))
    if not _SIZES[0] < seen < _SIZES[1]:
        raise _unseen(view, f"what is there is {seen:.1f} times as large")
    middle = np.average(points, axis=0, weights=weights)
    yaw = _turn(points - middle, weights, believed.yaw_rad)
    return replace(believed, surface=np.array([*middle, rim_m]), yaw_rad=yaw, rim_z_m=rim_m)


def _unseen(view: View, why: str) -> SkillFailed:
    return SkillFailed(FailureCode.OBJECT_NOT_FOUND, f"camera {view.camera.name!r} does not see the mouth: {why}")


def _rim(view: View, heights: np.ndarray) -> float:
    """The level at which most of some heights (N,) lie: walls and chamfers spread over all of them."""
    if heights.size < _FEWEST:
        raise _unseen(view, "no rim is at its height")
    counts, edges = np.histogram(heights, np.arange(heights.min(), heights.max() + 2 * _LEVEL_M, _LEVEL_M))
    level = edges[int(np.argmax(counts))] + _LEVEL_M / 2
    return float(np.median(heights[np.abs(heights - level) < _LEVEL_M]))


def _enclosed(view: View, rim: np.ndarray, pixel: tuple[int, int]) -> np.ndarray:
    """(h, w) bool: what the rim encloses around a pixel. Raises `SkillFailed` when that is open, or rim itself."""
    if rim[pixel]:
        raise _unseen(view, "there is no hole where it is believed to be")
    inside = connected(~rim, pixel)
    if inside[0].any() or inside[-1].any() or inside[:, 0].any() or inside[:, -1].any():
        raise _unseen(view, "its rim is not closed")
    if inside.sum() < _FEWEST:
        raise _unseen(view, f"only {int(inside.sum())} pixels show it")
    return inside


def _on_plane(view: View, pixels: np.ndarray, z_m: float) -> tuple[np.ndarray, np.ndarray]:
    """(N, 2) where the lines of sight of pixels (N, 2) meet a level plane, and (N,) m^2 that each covers of it."""
    intrinsics = view.camera.intrinsics
    ahead = np.column_stack([pixels[:, ::-1] + 0.5, np.ones(len(pixels))]) @ np.linalg.inv(intrinsics).T
    rays, eye = ahead @ view.T_base_camera[:3, :3].T, view.T_base_camera[:3, 3]
    depth = (z_m - eye[2]) / rays[:, 2]
    areas = depth**3 / (intrinsics[0, 0] * intrinsics[1, 1] * abs(z_m - eye[2]))
    return eye[:2] + depth[:, None] * rays[:, :2], areas


def _turn(local: np.ndarray, weights: np.ndarray, near_rad: float) -> float:
    """Direction of a side nearest to `near_rad`, from points (N, 2) about their middle."""
    z = local[:, 0] + 1j * local[:, 1]
    second, spread = (weights * z**2).sum(), (weights * np.abs(z) ** 2).sum()
    oblong = float(np.sqrt((spread + abs(second)) / max(spread - abs(second), 1e-12)))
    if oblong > _OBLONG:
        return near_rad + wrapped(float(np.angle(second)) / 2 - near_rad, np.pi / 2)
    return near_rad + wrapped(float(np.angle(-(weights * z**4).sum())) / 4 - near_rad, np.pi / 2)
