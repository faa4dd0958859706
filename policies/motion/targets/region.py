"""Which pixels belong to the thing at a pixel: of one colour, connected, and above what it stands on."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from tandem.policies.motion.targets.view import View

COLOUR_DISTANCE = 0.09  # between shares of red, green and blue; shading changes them little
_REACH_M = 0.24  # how far from the pixel a thing may extend
_TABLE_M = 0.004  # what is lower belongs to the table
_LEVEL_M = 0.0015  # points of a level surface differ less in height
_BESIDE_PX = 3  # how far around a pixel the level of its surface is measured
_LARGEST_M = 0.13  # a level surface larger than this is no top of a thing to be taken


@dataclass(frozen=True, eq=False)
class Region:
    """Pixels of one thing.

    Attributes:
        points: (N, 3) what they show, in the base frame.
        level: (N,) bool: those level with the given pixel and connected to it.
        seed: (3,) what the given pixel shows.
        chroma: (3,) the colour of its border.
        colour: (3,) the colour at the given pixel.
        around: (M, 3) what is seen near it, without the robot and without itself.
        pixels: (N, 2) rows and columns.
        pixel_m: metres between neighbouring pixels.
        smoothed: the view's depth was noisy.
        footprints: (N,) area of a level surface that each pixel covers, m^2.
        hidden: share of its border where the robot begins.
    """

    points: np.ndarray
    level: np.ndarray
    seed: np.ndarray
    chroma: np.ndarray
    colour: np.ndarray
    around: np.ndarray
    pixels: np.ndarray
    pixel_m: float
    smoothed: bool
    footprints: np.ndarray
    hidden: float


def window(view: View, row: int, column: int, reach_m: float = _REACH_M) -> tuple[slice, slice]:
    """The part of the picture that can show things within a distance of what a pixel shows."""
    radius = int(np.ceil(reach_m / view.pixel_size_m(row, column)))
    height, width = view.depth.shape
    rows = slice(max(0, row - radius), min(height, row + radius))
    return rows, slice(max(0, column - radius), min(width, column + radius))


def colour_at(view: View, row: int, column: int) -> np.ndarray:
    """(3,) median colour of the pixels around one that show the same surface."""
    rows, columns = slice(max(0, row - 2), row + 3), slice(max(0, column - 2), column + 3)
    near = np.abs(view.depth[rows, columns] - view.depth[row, column]) < 0.01
    return np.median(view.chroma[rows, columns][near], axis=0)


def alike(view: View, rows: slice, columns: slice, chroma: np.ndarray) -> np.ndarray:
    """(h, w) bool: pixels of a window that have a colour."""
    return np.linalg.norm(view.chroma[rows, columns] - chroma, axis=-1) < COLOUR_DISTANCE


def grow(view: View, row: int, column: int, robot: np.ndarray | None = None) -> Region:
    """The thing at a pixel: what is level with it, whatever its colour, and what has the colour of its border.

    Args:
        view: the picture.
        row: of the pixel.
        column: of the pixel.
        robot: (h, w) bool of the window around the pixel: what shows the robot.
    """
    rows, columns = window(view, row, column)
    inside = row - rows.start, column - columns.start
    seed = view.points[row, column].astype(np.float64)
    free = np.ones(view.depth[rows, columns].shape, bool) if robot is None else ~robot
    level = level_patch(view, row, column, free)
    chroma = _border_colour(view, rows, columns, level) if level.any() else colour_at(view, row, column)
    mask = alike(view, rows, columns, chroma)
    if seed[2] > _TABLE_M:
        mask &= view.points[rows, columns][..., 2] > _TABLE_M
    own = connected((mask | level) & free, inside)
    points = view.points[rows, columns][own].astype(np.float64)
    around = view.points[rows, columns][free & ~own].astype(np.float64)
    return Region(
        points, level[own], seed, chroma, colour_at(view, row, column), around,
        np.argwhere(own) + (rows.start, columns.start), view.pixel_size_m(row, column), view.smoothed,
        _footprints(view, points, view.depth[rows, columns][own]), _touching(own, robot),
    )


def connected(mask: np.ndarray, inside: tuple[int, int]) -> np.ndarray:
    """(h, w) bool: the part of a mask that hangs together with one of its pixels, that pixel included."""
    mask = mask.copy()
    mask[inside] = True
    _, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    return labels == labels[inside]


def level_patch(view: View, row: int, column: int, free: np.ndarray) -> np.ndarray:
    """(h, w) bool: what hangs together with a pixel at its height; nothing on the table, or when it goes on and on."""
    rows, columns = window(view, row, column)
    heights = view.points[rows, columns][..., 2]
    height, band_m = float(view.points[row, column, 2]), _LEVEL_M + view.noise_m
    if height < _TABLE_M:
        return np.zeros(free.shape, bool)
    if view.smoothed:  # one pixel's own error would cut a rim off
        beside = view.points[max(0, row - _BESIDE_PX):row + _BESIDE_PX + 1,
                             max(0, column - _BESIDE_PX):column + _BESIDE_PX + 1, 2]
        height = float(np.median(beside[np.abs(beside - height) < band_m]))
    near = np.abs(heights - height) < band_m
    patch = connected(near & free, (row - rows.start, column - columns.start))
    points = view.points[rows, columns][patch]
    goes_on = float(np.ptp(points[:, :2], axis=0).max()) > _LARGEST_M
    return np.zeros(free.shape, bool) if goes_on else patch


def _border_colour(view: View, rows: slice, columns: slice, patch: np.ndarray) -> np.ndarray:
    """(3,) median colour just within the border of a patch: bores, labels and screws are inside."""
    core = cv2.erode(patch.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    inner = cv2.erode(core.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    border = core & ~inner
    return np.median(view.chroma[rows, columns][border if border.any() else patch], axis=0)


def _footprints(view: View, points: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """(N,) area of a level surface at each point that its pixel covers: depth^3 / (f_x f_y height above it)."""
    above = np.abs(view.T_base_camera[2, 3] - points[:, 2])
    return depth.astype(np.float64) ** 3 / (view.camera.intrinsics[0, 0] * view.camera.intrinsics[1, 1] * above)


def _touching(own: np.ndarray, robot: np.ndarray | None) -> float:
    """Share of a region's border at which the robot begins."""
    if robot is None or not robot.any():
        return 0.0
    kernel = np.ones((3, 3), np.uint8)
    border = (cv2.dilate(own.astype(np.uint8), kernel) > 0) & ~own
    return float((border & (cv2.dilate(robot.astype(np.uint8), kernel) > 0)).sum() / max(1, border.sum()))
