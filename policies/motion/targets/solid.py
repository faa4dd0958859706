"""What a region of points is: an upright solid seen from above, or a container with a rim around its floor."""

from __future__ import annotations

import cv2
import numpy as np

from tandem.bridge.contract import FailureCode, SkillFailed, Target
from tandem.policies.motion.targets.region import Region

_LEVEL_M = 0.0035  # points this near in height belong to one level surface
_RIM_FILL = 0.5  # a rim covers less than this share of the rectangle around it
_ROUND_FILL = 0.89  # a disc covers 0.785 of its rectangle
_DEEP_M = 0.01  # a container is deeper than this
_FEWEST = 12  # pixels
_STANDS_M = 0.01  # what reaches down this far stands on the table


class Rectangle:
    """The smallest rectangle around points of the plane.

    Args:
        points: (N, 2).
        pixel_m: metres between the points.
    """

    def __init__(self, points: np.ndarray, pixel_m: float):
        corners = cv2.boxPoints(cv2.minAreaRect(points.astype(np.float32))).astype(np.float64)
        self.centre = corners.mean(axis=0)
        first, second = corners[1] - corners[0], corners[2] - corners[1]
        along, across = (first, second) if np.hypot(*first) >= np.hypot(*second) else (second, first)
        self.size = np.array([np.hypot(*along), np.hypot(*across)])
        self.yaw_rad = float(np.arctan2(along[1], along[0])) if self.size[0] > 0 else 0.0
        self.pixel_m = pixel_m

    @property
    def axes(self) -> np.ndarray:
        """(2, 2) unit vectors of the long and the short side, as rows."""
        cosine, sine = np.cos(self.yaw_rad), np.sin(self.yaw_rad)
        return np.array([[cosine, sine], [-sine, cosine]])

    def holds(self, points: np.ndarray, margin_m: float) -> np.ndarray:
        """(N,) bool: points that lie within, at least `margin_m` from the border."""
        return (np.abs((points - self.centre) @ self.axes.T) < self.size / 2 - margin_m).all(axis=1)


def recognise(region: Region) -> Target:
    """The target that a region shows. Raises `SkillFailed` (`OBJECT_NOT_FOUND`) when it is too small to tell."""
    if len(region.points) < _FEWEST:
        raise SkillFailed(
            FailureCode.OBJECT_NOT_FOUND, f"only {len(region.points)} pixels belong to the thing at the camera point"
        )
    top = float(np.percentile(region.points[:, 2], 97))
    crest = region.points[:, 2] > top - _LEVEL_M
    rectangle = Rectangle(region.points[crest, :2], region.pixel_m)
    area = float(region.footprints[crest].sum())
    if area / max(float(rectangle.size.prod()), 1e-9) > _RIM_FILL:
        return _solid(region, crest, rectangle, area)
    return _container(region, rectangle, top)


def _solid(region: Region, crest: np.ndarray, rectangle: Rectangle, area_m2: float) -> Target:
    bottom = float(np.percentile(region.points[:, 2], 1))
    bottom = 0.0 if bottom < _STANDS_M else bottom
    z = float(np.median(region.points[crest, 2]))
    round_top = area_m2 / rectangle.size.prod() < _ROUND_FILL  # whose border pixel centres touch in few places only
    extents = rectangle.size + (region.pixel_m if round_top else 0.0)
    size = np.array([*extents, max(z - bottom, 0.002)])
    return Target(np.array([*rectangle.centre, z]), size, rectangle.yaw_rad, z)


def _container(region: Region, rectangle: Rectangle, rim: float) -> Target:
    inner = region.points[rectangle.holds(region.points[:, :2], 0.1 * float(rectangle.size.min()))]
    if region.seed[2] < rim - _DEEP_M:
        floor = float(region.seed[2])
    elif len(inner):
        floor = float(np.percentile(inner[:, 2], 10))
    else:
        raise SkillFailed(FailureCode.OBJECT_NOT_FOUND, "a rim is in sight, and no floor within it")
    return Target(np.array([*rectangle.centre, floor]), np.array([*rectangle.size, rim]), rectangle.yaw_rad, rim)
