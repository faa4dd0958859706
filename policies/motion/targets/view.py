"""One look of one camera, lifted into the base frame."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from tandem.bridge.contract import CameraPoint, CameraSpec, FailureCode, Observation, SkillFailed, depth_key, image_key
from tandem.bridge.contract import observation as keys
from tandem.policies.motion.kinematics import Arm

_SEEING = 0.2  # share of the pixels with depth below which a camera is blind

_NOISY_M, _MEDIAN_PX = 0.0004, 5  # a camera that is noisier than this is smoothed; one that is not shows thin ribs


def deviation_m(depth: np.ndarray) -> float:
    """Standard deviation of a depth picture (H, W) from smooth surfaces, by the median of its second differences."""
    bend = depth[:, :-2] - 2 * depth[:, 1:-1] + depth[:, 2:]
    return float(1.4826 * np.median(np.abs(bend[::4])) / np.sqrt(6.0))


@dataclass(frozen=True, eq=False)
class View:
    """A picture with depth, and where it was taken from.

    Attributes:
        camera: the camera.
        rgb: (H, W, 3) uint8.
        depth: (H, W) float32, metres along the camera's z, 0 where there is none.
        T_base_camera: (4, 4).
        q: (n,) joint positions at that moment.
        opening: of the gripper at that moment, 0..1.
        time_s: body time of that moment.
        noise_m: standard deviation of the depth as it came; more than a little is smoothed.
    """

    camera: CameraSpec
    rgb: np.ndarray
    depth: np.ndarray
    T_base_camera: np.ndarray
    q: np.ndarray
    opening: float
    time_s: float
    noise_m: float = 0.0

    @classmethod
    def take(cls, observation: Observation, camera: CameraSpec, arm: Arm) -> View:
        """Look through a camera. Raises `SkillFailed` (`OBJECT_NOT_FOUND`) when it measures no depth."""
        if not camera.depth:
            raise SkillFailed(FailureCode.OBJECT_NOT_FOUND, f"camera {camera.name!r} measures no depth")
        q = np.array(observation[keys.JOINT_POSITION])
        mount = np.eye(4) if camera.mount == "base" else arm.link_pose(camera.mount, q)
        depth = np.array(observation[depth_key(camera.name)])
        noise_m = deviation_m(depth)
        if noise_m > _NOISY_M:
            depth = cv2.medianBlur(depth, _MEDIAN_PX)
        opening, time_s = (float(observation[key][0]) for key in (keys.GRIPPER_OPENING, keys.TIME))
        pose = mount @ camera.T_mount_camera
        return cls(camera, np.array(observation[image_key(camera.name)]), depth, pose, q, opening, time_s, noise_m)

    @property
    def smoothed(self) -> bool:
        """Its depth was noisy, and edges are no longer where they were to the pixel."""
        return self.noise_m > _NOISY_M

    @property
    def blind(self) -> bool:
        """The picture has next to no depth: a camera that is covered or broken."""
        return bool(np.count_nonzero(self.depth) < _SEEING * self.depth.size)

    @cached_property
    def points(self) -> np.ndarray:
        """(H, W, 3) base-frame positions of what each pixel shows."""
        height, width = self.depth.shape
        rays = np.linalg.inv(self.camera.intrinsics)
        u, v = np.arange(width) + 0.5, np.arange(height) + 0.5
        x = (rays[0, 0] * u + rays[0, 2])[None, :] * self.depth
        y = (rays[1, 1] * v + rays[1, 2])[:, None] * self.depth
        rotation, origin = self.T_base_camera[:3, :3], self.T_base_camera[:3, 3]
        return np.stack([x, y, self.depth], axis=-1) @ rotation.T.astype(np.float32) + origin.astype(np.float32)

    @cached_property
    def chroma(self) -> np.ndarray:
        """(H, W, 3) float32 colour without its brightness: the shares of red, green and blue."""
        rgb = self.rgb.astype(np.float32) + 1.0
        return rgb / rgb.sum(axis=-1, keepdims=True)

    def pixel(self, point: CameraPoint) -> tuple[int, int]:
        """(row, column) of a camera point. Raises `SkillFailed` when it lies outside the picture or has no depth."""
        row, column = int(point.v), int(point.u)
        height, width = self.depth.shape
        if not (row < height and column < width):
            raise SkillFailed(
                FailureCode.OBJECT_NOT_FOUND,
                f"({point.u:.0f}, {point.v:.0f}) lies outside the {width}x{height} pixels of camera {point.camera!r}",
            )
        if not self.depth[row, column] > 0:
            raise SkillFailed(
                FailureCode.OBJECT_NOT_FOUND, f"camera {point.camera!r} has no depth at ({point.u:.0f}, {point.v:.0f})"
            )
        return row, column

    def project(self, position: np.ndarray) -> tuple[int, int]:
        """(row, column), possibly outside the picture, that shows a base-frame position (3,)."""
        x, y, z = self.T_base_camera[:3, :3].T @ (position - self.T_base_camera[:3, 3])
        u, v, _ = self.camera.intrinsics @ (x / z, y / z, 1.0)
        return int(v), int(u)

    def pixel_size_m(self, row: int, column: int) -> float:
        """Metres between neighbouring pixels, across the line of sight."""
        return float(self.depth[row, column] / self.camera.intrinsics[0, 0])
