"""What changed around a camera point between depth images, as heights in the base frame.

Pixels that may show the arm are left out, so that a hand in the way makes a verdict inconclusive and never a success.
Where the arm stood in front before, what an earlier image saw there counts. A median over 3x3 pixels takes out single
bad readings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tandem.bridge.contract import CameraPoint, CameraSpec

THICKNESS_M = 0.008  # a change of height below this may be noise
BESIDE_PX = 8  # a point may be off a thing by so much
LOWEST = 10  # percentile of heights around a point that counts as what things stand on
ARM_RADIUS_M = 0.11  # how far a hand reaches around its tool point (a Panda's is 0.205 m wide)
ARM_BELOW_M = 0.05  # how far fingers and what they hold reach below it

Window = tuple[slice, slice]


@dataclass(frozen=True, eq=False)
class View:
    """One depth image of a camera that stands still.

    Attributes:
        depth: (H, W) m, 0 where there is none.
        tool: (7,) tool pose at that time; what is near or above it counts as the arm.
    """

    depth: np.ndarray
    tool: np.ndarray


@dataclass(frozen=True, eq=False)
class Change:
    """What happened around a point.

    Attributes:
        point: (3,) what the point showed before, base frame, m.
        rise_m: median change of height right at the point.
        hidden: share of the pixels right at the point that cannot be compared.
        top_z_m: height of what rose there; that of the point if nothing did.
        raised_m2: area that is higher than before, on the surface to which the point belongs.
        covered: share of that surface that the arm hides after.
        bare: the point showed what things stand on, and no thing.
        lowered_m2: area right beside the point that is lower than before.
    """

    point: np.ndarray
    rise_m: float
    hidden: float
    top_z_m: float
    raised_m2: float
    covered: float
    bare: bool
    lowered_m2: float


def change_at(
    point: CameraPoint, camera: CameraSpec, before: Sequence[View], after: View, radius_m: float, *, below_m: float
) -> Change | None:
    """Compare what was seen around a point with what is seen now; None where the point had no depth before.

    Args:
        point: the pixel.
        camera: its camera, mounted on "base".
        before: earlier views, newest first; the older ones stand in where the arm hid the newest.
        after: the view now.
        radius_m: how far around the point its surface is followed.
        below_m: how far below the point its surface may go (a thing in a bin, then the bin's floor).
    """
    focal = float(np.sqrt(camera.intrinsics[0, 0] * camera.intrinsics[1, 1]))
    seen = before[0].depth[_window(point, camera, 1)]
    if not np.any(seen > 0):
        return None
    pixel_m = float(np.median(seen[seen > 0])) / focal
    window = _window(point, camera, max(3, round(radius_m / pixel_m)))
    old, new = _without_arm(before, camera, window), _without_arm([after], camera, window)
    centre = _centre(old[2].shape, point, window)
    if np.all(np.isnan(old[2][centre])):
        return None
    level = np.nanmedian(old[:, centre], axis=1)
    rise = new[2] - old[2]
    surface = _surface(old[2], level[2], centre, below_m)
    raised = surface & (rise > THICKNESS_M)
    there = centre & np.isfinite(rise)
    lowered = _centre(old[2].shape, point, window, BESIDE_PX) & (rise < -THICKNESS_M)
    return Change(
        point=level, rise_m=float(np.median(rise[there])) if there.any() else 0.0,
        hidden=1.0 - there.sum() / centre.sum(),
        top_z_m=float(np.percentile(new[2][raised], 90)) if raised.any() else float(level[2]),
        raised_m2=float(np.count_nonzero(raised)) * pixel_m**2,
        covered=float(np.isnan(rise[surface]).mean()) if surface.any() else 1.0,
        bare=bool(level[2] < np.nanpercentile(old[2], LOWEST) + THICKNESS_M),
        lowered_m2=float(np.count_nonzero(lowered)) * pixel_m**2,
    )


def lifted(point: CameraPoint, camera: CameraSpec, depth: np.ndarray) -> np.ndarray | None:
    """What a pixel shows (3,) in the base frame; None where there is no depth."""
    window = _window(point, camera, 1)
    points = _lift(depth[window], camera, window).reshape(3, -1)
    points = points[:, np.isfinite(points[2])]
    return np.median(points, axis=1) if points.size else None


def project(point: np.ndarray, camera: CameraSpec) -> CameraPoint | None:
    """The pixel at which a point (3,) of the base frame is seen; None outside the image."""
    pose = camera.T_mount_camera
    u, v, depth = camera.intrinsics @ (pose[:3, :3].T @ (point - pose[:3, 3]))
    if depth <= 0 or not (0 <= u / depth < camera.width and 0 <= v / depth < camera.height):
        return None
    return CameraPoint(camera.name, float(u / depth), float(v / depth))


def _window(point: CameraPoint, camera: CameraSpec, radius: int) -> Window:
    u, v = int(point.u), int(point.v)
    rows = slice(max(0, v - radius), min(camera.height, v + radius + 1))
    return rows, slice(max(0, u - radius), min(camera.width, u + radius + 1))


def _centre(shape: tuple[int, int], point: CameraPoint, window: Window, radius: int = 3) -> np.ndarray:
    """The pixels right at the point."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    v, u = int(point.v) - window[0].start, int(point.u) - window[1].start
    return (abs(rows - v) <= radius) & (abs(columns - u) <= radius)


def _without_arm(views: Sequence[View], camera: CameraSpec, window: Window) -> np.ndarray:
    """(3, h, w) points in the base frame; NaN where no view saw past the arm."""
    points = None
    for view in views:
        lifted = _lift(_median3(view.depth[window]), camera, window)
        lifted[:, _is_arm(lifted, view.tool)] = np.nan
        points = lifted if points is None else np.where(np.isnan(points), lifted, points)
        if not np.isnan(points).any():
            break
    return points


def _median3(depth: np.ndarray) -> np.ndarray:
    padded = np.pad(depth, 1, mode="edge")
    rows, columns = depth.shape
    return np.median([padded[i : i + rows, j : j + columns] for i in range(3) for j in range(3)], axis=0)


def _lift(depth: np.ndarray, camera: CameraSpec, window: Window) -> np.ndarray:
    z = np.where(depth > 0, depth, np.nan).astype(np.float64)
    v, u = np.mgrid[window]
    k, pose = camera.intrinsics, camera.T_mount_camera
    points = np.stack([(u + 0.5 - k[0, 2]) / k[0, 0] * z, (v + 0.5 - k[1, 2]) / k[1, 1] * z, z])  # of pixel centres
    return np.tensordot(pose[:3, :3], points, axes=1) + pose[:3, 3, None, None]


def _is_arm(points: np.ndarray, tool: np.ndarray) -> np.ndarray:
    beside = np.hypot(points[0] - tool[0], points[1] - tool[1])
    hand = (beside < ARM_RADIUS_M) & (points[2] > tool[2] - ARM_BELOW_M)
    return hand | (points[2] > tool[2] + ARM_BELOW_M)


def _surface(heights: np.ndarray, level: float, seed: np.ndarray, below_m: float) -> np.ndarray:
    """The pixels that hang together with the point and are no higher than it: walls and rims end it."""
    allowed = (heights < level + THICKNESS_M) & (heights > level - below_m)  # NaN is neither
    grown, surface = seed & allowed, None
    while surface is None or grown.sum() > surface.sum():
        surface, grown = grown, grown.copy()
        grown[1:] |= surface[:-1]
        grown[:-1] |= surface[1:]
        grown[:, 1:] |= surface[:, :-1]
        grown[:, :-1] |= surface[:, 1:]
        grown &= allowed
    return surface
