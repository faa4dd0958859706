"""Which pixels show the robot itself, or what it holds: they hide the scene and are no part of it."""

from __future__ import annotations

import mujoco
import numpy as np

from tandem.policies.motion.kinematics import Arm
from tandem.policies.motion.targets.view import View

_MARGIN_M = 0.012
_IN_HAND_M = 0.05  # what is nearer to the tool than this, while the gripper is not open, is in the hand


class Outline:
    """The robot's outline in a view.

    Args:
        arm: its kinematics; the geoms of its model are the outline.
    """

    def __init__(self, arm: Arm):
        self._arm = arm
        model = arm.model
        self._geoms = [g for g in range(model.ngeom) if model.geom_type[g] != mujoco.mjtGeom.mjGEOM_PLANE]

    def hides(self, view: View, rows: slice, columns: slice) -> np.ndarray:
        """(h, w) bool: pixels of a window of the view that show the robot or what it holds."""
        points = view.points[rows, columns].reshape(-1, 3)
        tool = self._arm.fk(view.q)
        model, data = self._arm.model, self._arm.posed(view.q, view.opening)
        hidden = np.zeros(len(points), bool)
        for geom in self._geoms:
            near = _near(points, data.geom_xpos[geom], model.geom_rbound[geom] + _MARGIN_M)
            near &= ~hidden
            if near.any():
                local = (points[near] - data.geom_xpos[geom]) @ data.geom_xmat[geom].reshape(3, 3)
                hidden[near] = _distance(local, model.geom_type[geom], model.geom_size[geom]) < _MARGIN_M
        if view.opening < 0.9:
            hidden |= _near(points, tool[:3, 3], _IN_HAND_M) & (points[:, 2] > tool[2, 3] - _IN_HAND_M)
        shape = view.points[rows, columns].shape[:2]
        return hidden.reshape(shape)


def _near(points: np.ndarray, centre: np.ndarray, radius: float) -> np.ndarray:
    offset = points - centre
    return np.einsum("ij,ij->i", offset, offset) < radius**2


def _distance(points: np.ndarray, kind: int, size: np.ndarray) -> np.ndarray:
    """Signed distance, in metres, of points in a primitive geom's own frame."""
    if kind == mujoco.mjtGeom.mjGEOM_SPHERE:
        return np.linalg.norm(points, axis=1) - size[0]
    if kind == mujoco.mjtGeom.mjGEOM_CAPSULE:
        along = np.clip(points[:, 2], -size[1], size[1])
        return np.linalg.norm(points - np.stack([0 * along, 0 * along, along], axis=1), axis=1) - size[0]
    if kind == mujoco.mjtGeom.mjGEOM_CYLINDER:
        beyond = np.stack([np.hypot(points[:, 0], points[:, 1]) - size[0], np.abs(points[:, 2]) - size[1]], axis=1)
    else:
        beyond = np.abs(points) - size
    return np.linalg.norm(np.maximum(beyond, 0.0), axis=1) + np.minimum(beyond.max(axis=1), 0.0)
