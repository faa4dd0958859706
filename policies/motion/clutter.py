"""What stands beside a target, as far as a depth camera sees it: where a finger must not go down."""

from __future__ import annotations

import numpy as np

from tandem.bridge.contract import BodySpec, CameraSpec, Observation, Target
from tandem.policies.motion.kinematics import Arm
from tandem.policies.motion.targets.outline import Outline
from tandem.policies.motion.targets.view import View

_AROUND_M = 0.14
_OWN_M = 0.004  # what is this near to the target belongs to it
_ABOVE_TIP_M = 0.004
_SPARE_M = 0.002  # around a finger


class Clutter:
    """Points of the scene around a target, without the target and without the robot.

    Args:
        points: (N, 3) in the base frame.
    """

    def __init__(self, points: np.ndarray):
        self.points = points

    @classmethod
    def around(cls, target: Target, observation: Observation, arm: Arm, outline: Outline) -> Clutter:
        """What the body's first still depth camera sees beside a target; nothing when it has no such camera."""
        return cls(_others(cls.near(target, observation, arm, outline).points, target))

    @classmethod
    def near(cls, target: Target, observation: Observation, arm: Arm, outline: Outline) -> Clutter:
        """The same with the target itself."""
        camera = _still_depth_camera(arm.spec)
        if camera is None:
            return cls(np.zeros((0, 3)))
        view = View.take(observation, camera, arm)
        if view.blind:
            return cls(np.zeros((0, 3)))
        row, column = view.project(target.surface)
        radius = int(_AROUND_M * camera.intrinsics[0, 0] / np.linalg.norm(target.surface - view.T_base_camera[:3, 3]))
        rows = slice(max(0, row - radius), max(0, row + radius))
        columns = slice(max(0, column - radius), max(0, column + radius))
        points = view.points[rows, columns]
        return cls(points[~outline.hides(view, rows, columns)].astype(np.float64))

    def blocks(self, pose: np.ndarray, faces: tuple[float, float], arm: Arm) -> int:
        """How many points the fingers would meet at a pose (4, 4) of the tool.

        Args:
            pose: of the tool.
            faces: where along the tool's y the inner faces of the fingers are, m.
            arm: whose fingers.
        """
        gripper = arm.spec.gripper
        local = (self.points - pose[:3, 3]) @ pose[:3, :3]
        across = np.abs(local[:, 0]) < gripper.finger_width_m / 2 + _SPARE_M
        deep = local[:, 2] < gripper.finger_depth_m - _ABOVE_TIP_M
        low, high = faces
        thick = gripper.finger_thickness_m + _SPARE_M
        y = local[:, 1]
        beside = ((y > low - thick) & (y < low)) | ((y > high) & (y < high + thick))
        return int((across & deep & beside).sum())


def _still_depth_camera(spec: BodySpec) -> CameraSpec | None:
    return next((camera for camera in spec.cameras if camera.depth and camera.mount == "base"), None)


def _others(points: np.ndarray, target: Target) -> np.ndarray:
    """Those of the points (N, 3) that are no part of the target."""
    cosine, sine = np.cos(target.yaw_rad), np.sin(target.yaw_rad)
    local = (points[:, :2] - target.surface[:2]) @ np.array([[cosine, -sine], [sine, cosine]])
    own = (np.abs(local) < target.size[:2] / 2 + _OWN_M).all(axis=1)
    return points[~own]
