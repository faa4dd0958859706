"""What a region of points is: an upright solid seen from above, or a container whose rim is in one colour."""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from tandem.bridge.contract import FailureCode, SkillFailed, Target
from tandem.policies.motion.targets.rectangle import Rectangle
from tandem.policies.motion.targets.region import Region

_LEVEL_M = 0.0035  # points this near in height belong to one level surface
_RIM_FILL = 0.5  # a rim covers less than this share of the rectangle around it
_ROUND_FILL = 0.82  # a disc covers all of the circle around it, a square 0.64
_DEEP_M = 0.01  # a container is deeper than this
_BULGE_M = (0.004, 0.03)  # wider than its crest by so much: the crest is not all of its upper side
_STRIP_M = 0.008  # points at one height that are narrower than this are a stripe of a wall
_FEWEST = 12  # pixels
_FLAT_M, _BESIDE_M = 0.006, 0.03  # no sides are seen; how far to look beside it then
_STANDS_M = 0.01  # what reaches down this far stands on the table


class Form(StrEnum):
    """What a thing looks like from above."""

    CONTAINER = "container"
    BOX = "box"
    ROUND = "round"  # a disc: a cylinder that stands
    ROUNDED = "rounded"  # highest along a line: a cylinder that lies


def recognise(region: Region) -> tuple[Target, Form]:
    """The target that a region shows, and its form.

    Raises:
        SkillFailed: `OBJECT_NOT_FOUND` when it is too small to tell.
    """
    if len(region.points) < _FEWEST:
        raise SkillFailed(
            FailureCode.OBJECT_NOT_FOUND, f"only {len(region.points)} pixels belong to the thing at the camera point"
        )
    top = float(np.percentile(region.points[:, 2], 97))
    crest = region.level if _is_top(region, top) else region.points[:, 2] > top - _LEVEL_M
    rectangle = Rectangle(region.points[crest, :2])
    area_m2 = float(region.footprints[crest].sum())
    if area_m2 > _RIM_FILL * float(rectangle.size.prod()):
        return _solid(region, crest, rectangle, area_m2)
    return _container(region, rectangle, top), Form.CONTAINER


def _is_top(region: Region, top: float) -> bool:
    """The pixel shows the upper surface itself; what is a little higher is a neighbour of the same colour."""
    if not region.level.any() or top - float(region.seed[2]) > _DEEP_M:
        return False
    return bool(Rectangle(region.points[region.level, :2]).size[1] > _STRIP_M)


def _solid(region: Region, crest: np.ndarray, rectangle: Rectangle, area_m2: float) -> tuple[Target, Form]:
    z = float(np.median(region.points[crest, 2]))
    farthest = np.linalg.norm(region.points[crest, :2] - rectangle.centre, axis=1).max()
    form = Form.ROUND if area_m2 > _ROUND_FILL * np.pi * farthest**2 else Form.BOX
    frayed_m = region.pixel_m if region.smoothed else 0.0  # noise takes pixels off the crest's edges
    if _BULGE_M[0] + frayed_m < _bulge(region, crest, rectangle) < _BULGE_M[1]:
        form, rectangle = Form.ROUNDED, Rectangle(region.points[:, :2])
    bottom = _bottom(region, rectangle, z)
    # Pixel centres touch the border of a disc in few places only.
    extents = rectangle.size + (region.pixel_m if form is Form.ROUND else 0.0)
    size = np.array([*extents, max(z - bottom, 0.002)])
    return Target(np.array([*rectangle.centre, z]), size, rectangle.yaw_rad, z), form


def _bulge(region: Region, crest: np.ndarray, rectangle: Rectangle) -> float:
    """How much wider than its crest a thing is, a few stray points aside, m."""
    local = (region.points[:, :2] - rectangle.centre) @ rectangle.axes.T
    whole, top = (np.ptp(np.percentile(points, (3, 97), axis=0), axis=0) for points in (local, local[crest]))
    return float((whole - top).max())


def _bottom(region: Region, rectangle: Rectangle, z: float) -> float:
    """Where its sides end, if they are seen; else the level of what is beside it."""
    bottom = float(np.percentile(region.points[:, 2], 1))
    if z - bottom < _FLAT_M and z > _STANDS_M:
        near = np.abs((region.around[:, :2] - rectangle.centre) @ rectangle.axes.T) < rectangle.size / 2 + _BESIDE_M
        lower = region.around[near.all(axis=1) & (region.around[:, 2] < z - _FLAT_M), 2]
        bottom = float(np.percentile(lower, 25)) if len(lower) else 0.0
    return 0.0 if bottom < _STANDS_M else bottom


def _container(region: Region, rectangle: Rectangle, rim: float) -> Target:
    inner = region.points[rectangle.holds(region.points[:, :2], 0.1 * float(rectangle.size.min()))]
    if region.seed[2] < rim - _DEEP_M:
        floor = float(region.seed[2])
    elif len(inner):
        floor = float(np.percentile(inner[:, 2], 10))
    else:
        raise SkillFailed(FailureCode.OBJECT_NOT_FOUND, "a rim is in sight, and no floor within it")
    return Target(np.array([*rectangle.centre, floor]), np.array([*rectangle.size, rim]), rectangle.yaw_rad, rim)
