"""What changed around a camera point between two depth images, as heights in the base frame.

Pixels that may show the arm are left out and counted as hidden, so that a hand in the way makes a verdict inconclusive
and never a success. A median over 3x3 pixels takes out single bad readings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tandem.bridge.contract import CameraPoint, CameraSpec

THICKNESS_M = 0.008  # a change of height below this may be noise
ARM_RADIUS_M = 0.09  # how far a hand reaches around its tool point
ARM_BELOW_M = 0.05  # how far fingers and what they hold reach below it


@dataclass(frozen=True)
class Change:
    """What happened around a point of a camera that stands still.

    Attributes:
        point: (3,) what the point showed before, base frame, m.
        rise_m: median change of height in the innermost part.
        raised_m2: area that is higher than before by `THICKNESS_M` or more.
        hidden: share of pixels that the arm may cover before or after, or that have no depth.
    """

    point: np.ndarray
    rise_m: float
    raised_m2: float
    hidden: float


def change_at(
    point: CameraPoint, camera: CameraSpec, depths: tuple[np.ndarray, np.ndarray],
    tools: tuple[np.ndarray, np.ndarray], radius_m: float,
) -> Change | None:
    """Compare two depth images around a point; None where the point had no depth before.

    Args:
        point: the pixel.
        camera: its camera, mounted on "base".
        depths: (H, W) m, before and after.
        tools: (7,) tool poses before and after; what is near or above them counts as the arm.
        radius_m: how far around the point to look, along the image plane.
    """
    here = _window(point, camera, 1)
    seen = depths[0][here][depths[0][here] > 0]
    if not seen.size:
        return None
    focal = np.sqrt(camera.intrinsics[0, 0] * camera.intrinsics[1, 1])
    pixel_m = float(np.median(seen)) / focal
    window = _window(point, camera, max(1, round(radius_m / pixel_m)))
    before, after = (_lift(_median3(depth[window]), camera, window) for depth in depths)
    hidden = _hidden(before, tools[0]) | _hidden(after, tools[1])
    rise = np.where(hidden, 0.0, after[2] - before[2])
    inner = _inner(rise.shape, point, window) & ~hidden
    return Change(
        point=np.nanmedian(_lift(depths[0][here], camera, here).reshape(3, -1), axis=1),
        rise_m=float(np.median(rise[inner])) if inner.any() else 0.0,
        raised_m2=float(np.count_nonzero(rise > THICKNESS_M)) * pixel_m**2,
        hidden=float(hidden.mean()) if inner.any() else 1.0,
    )


def _window(point: CameraPoint, camera: CameraSpec, radius: int) -> tuple[slice, slice]:
    u, v = int(point.u), int(point.v)
    rows = slice(max(0, v - radius), min(camera.height, v + radius + 1))
    return rows, slice(max(0, u - radius), min(camera.width, u + radius + 1))


def _inner(shape: tuple[int, int], point: CameraPoint, window: tuple[slice, slice]) -> np.ndarray:
    """The pixels within a third of the window's size of the point."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    v, u = int(point.v) - window[0].start, int(point.u) - window[1].start
    radius = max(1, max(shape) // 6)
    return (abs(rows - v) <= radius) & (abs(columns - u) <= radius)


def _median3(depth: np.ndarray) -> np.ndarray:
    padded = np.pad(depth, 1, mode="edge")
    rows, columns = depth.shape
    return np.median([padded[i : i + rows, j : j + columns] for i in range(3) for j in range(3)], axis=0)


def _lift(depth: np.ndarray, camera: CameraSpec, window: tuple[slice, slice]) -> np.ndarray:
    """(3, h, w) points of the window in the base frame; NaN where there is no depth."""
    z = np.where(depth > 0, depth, np.nan).astype(np.float64)
    v, u = np.mgrid[window]
    k = camera.intrinsics
    points = np.stack([(u - k[0, 2]) / k[0, 0] * z, (v - k[1, 2]) / k[1, 1] * z, z])
    pose = camera.T_mount_camera
    return np.tensordot(pose[:3, :3], points, axes=1) + pose[:3, 3, None, None]


def _hidden(points: np.ndarray, tool: np.ndarray) -> np.ndarray:
    """Pixels without depth, or on something that may be the arm."""
    beside = np.hypot(points[0] - tool[0], points[1] - tool[1])
    hand = (beside < ARM_RADIUS_M) & (points[2] > tool[2] - ARM_BELOW_M)
    return np.isnan(points[2]) | hand | (points[2] > tool[2] + ARM_BELOW_M)
