"""What a region of points is: an upright solid seen from above, or a container whose rim is in one colour."""

from __future__ import annotations

import numpy as np

from tandem.bridge.contract import FailureCode, SkillFailed, Target
from tandem.policies.motion.targets.rectangle import Rectangle
from tandem.policies.motion.targets.region import Region

_LEVEL_M = 0.0035  # points this near in height belong to one level surface
_RIM_FILL = 0.5  # a rim covers less than this share of the rectangle around it
_ROUND_FILL = 0.89  # a disc covers 0.785 of its rectangle
_DEEP_M = 0.01  # a container is deeper than this
_STRIP_M = 0.008  # points at one height that are narrower than this are a stripe of a wall
_FEWEST = 12  # pixels
_FLAT_M, _BESIDE_M = 0.006, 0.03  # no sides are seen; how far to look beside it then
_STANDS_M = 0.01  # what reaches down this far stands on the table


def recognise(region: Region) -> tuple[Target, bool]:
    """The target that a region shows, and whether it is a container.

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
    fill = float(region.footprints[crest].sum()) / max(float(rectangle.size.prod()), 1e-9)
    if fill > _RIM_FILL:
        return _solid(region, crest, rectangle, fill), False
    return _container(region, rectangle, top), True


def _is_top(region: Region, top: float) -> bool:
    """The pixel shows the upper surface itself; what is a little higher is a neighbour of the same colour."""
    if not region.level.any() or top - float(region.seed[2]) > _DEEP_M:
        return False
    return bool(Rectangle(region.points[region.level, :2]).size[1] > _STRIP_M)


def _solid(region: Region, crest: np.ndarray, rectangle: Rectangle, fill: float) -> Target:
    z = float(np.median(region.points[crest, 2]))
    bottom = _bottom(region, rectangle, z)
    # Pixel centres touch the border of a disc in few places only.
    extents = rectangle.size + (region.pixel_m if fill < _ROUND_FILL else 0.0)
    return Target(np.array([*rectangle.centre, z]), np.array([*extents, max(z - bottom, 0.002)]), rectangle.yaw_rad, z)


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
