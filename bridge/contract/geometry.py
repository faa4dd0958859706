"""Where a thing is: what a skill needs to know of its target, however it was found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from tandem.bridge.contract.arrays import frozen
from tandem.bridge.contract.errors import InvalidPlan
from tandem.bridge.contract.observation import Observation
from tandem.bridge.contract.plan import CameraPoint


@dataclass(frozen=True, eq=False)
class Target:
    """An upright thing or place in the base frame, metres and radians.

    Attributes:
        surface: (3,) centre of its upper surface: where one grasps from, sets down on, presses, or the middle of a
            hole's mouth. For a bin or slot, the centre of its floor inside.
        size: (3,) full extents along its own x, y and z.
        yaw_rad: rotation of its own x axis about the base's z axis.
        rim_z_m: height of the highest part of it; equals surface z unless it has walls.
        outward: (3,) unit direction in which it is pulled open (drawers), zero otherwise.
        privileged: it comes from ground truth.
    """

    surface: np.ndarray
    size: np.ndarray
    yaw_rad: float
    rim_z_m: float
    outward: np.ndarray = field(default_factory=lambda: np.zeros(3))
    privileged: bool = False

    def __post_init__(self):
        for name in ("surface", "size", "outward"):
            object.__setattr__(self, name, frozen(getattr(self, name), name=name, shape=(3,), error=InvalidPlan))


class TargetSource(Protocol):
    """Finds targets: from ground truth (privileged) or from a camera point lifted through depth.

    Attributes:
        privileged: whether it uses ground truth.
    """

    privileged: bool

    def locate(self, words: str, point: CameraPoint | None, observation: Observation) -> Target:
        """The target that the words, or the point, stand for. Raises `SkillFailed` (`OBJECT_NOT_FOUND`)."""
