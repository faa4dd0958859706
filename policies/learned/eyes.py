"""Windows: what of each camera a network sees.

A window on the table is seen from above and turned as the tool is: a step in it is a step of the tool, whatever the
camera's place, and so a small network need not learn projections. It takes a calibrated camera and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import cv2
import numpy as np

from tandem.bridge.contract import BodySpec, CameraSpec, InvalidOption
from tandem.policies.learned.layouts import matrix
from tandem.policies.learned.senses import PLANE_M
from tandem.policies.motion.kinematics import Arm

GREY = (127, 127, 127)
_FINEST = 1.6  # camera pixels to a window's before they are averaged


class About(StrEnum):
    """What a window shows."""

    ALL = "all"  # the whole picture
    POINT = "point"  # the table around the subgoal's point; grey without one
    TOOL = "tool"  # the table below the tool


@dataclass(frozen=True)
class Window:
    """One window.

    Attributes:
        camera: through which.
        about: what it shows.
        width: pixels.
        height: pixels.
        pixel_m: size of a pixel on the table; of no meaning for a whole picture.
        margin: pixels more on every side that are kept for training, to shift the window by.
    """

    camera: str
    about: About
    width: int
    height: int
    pixel_m: float = 0.0025
    margin: int = 0

    def __post_init__(self):
        object.__setattr__(self, "about", About(self.about))
        if min(self.width, self.height) < 8 or not self.pixel_m > 0 or self.margin < 0:
            raise InvalidOption(f"a window has at least 8x8 pixels of a positive size, got {self}")

    def to_dict(self) -> dict[str, Any]:
        """Plain types only."""
        return asdict(self) | {"about": str(self.about)}


class Eyes:
    """Cuts windows out of pictures.

    Args:
        spec: the body's specification.
        arm: its kinematics.
        windows: which.

    Raises `UnknownName` for a camera that the body does not have.
    """

    def __init__(self, spec: BodySpec, arm: Arm, windows: Sequence[Window]):
        self._arm, self._windows = arm, tuple(windows)
        self._cameras = {camera.name: camera for camera in spec.cameras}
        for window in windows:
            spec.camera(window.camera)

    def pose(self, camera: str, q: np.ndarray) -> np.ndarray:
        """(4, 4) of a camera in the base frame for joints (n,)."""
        spec = self._cameras[camera]
        if spec.mount == "base":
            return spec.T_mount_camera
        return self._arm.link_pose(spec.mount, q) @ spec.T_mount_camera

    def see(
        self, pictures: Mapping[str, np.ndarray], q: np.ndarray, tool: np.ndarray, aim: np.ndarray, *,
        margins: bool = False,
    ) -> tuple[np.ndarray, ...]:
        """uint8 (h, w, 3) of each window.

        Args:
            pictures: uint8 (H, W, 3) by camera.
            q: (n,) joints.
            tool: (7,) pose of the tool.
            aim: (3,) where the subgoal's point is, base frame; NaN without one.
            margins: with the windows' margins, for training.
        """
        return tuple(
            self._seen(window, pictures[window.camera], q, tool, aim, window.margin * margins)
            for window in self._windows
        )

    def _seen(
        self, window: Window, picture: np.ndarray, q: np.ndarray, tool: np.ndarray, aim: np.ndarray, margin: int
    ) -> np.ndarray:
        width, height = window.width + 2 * margin, window.height + 2 * margin
        if window.about is About.ALL:
            return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        centre = tool if window.about is About.TOOL else aim
        if not np.isfinite(centre).all():
            return np.full((height, width, 3), GREY, np.uint8)
        rotation = matrix(tool[3:])
        yaw = np.arctan2(rotation[1, 0], rotation[0, 0])
        plane = _plane(centre[:2], yaw, window.pixel_m, width, height)
        camera = self._cameras[window.camera]
        return _warped(picture, camera, np.linalg.inv(self.pose(window.camera, q)) @ plane, width, height)


def _plane(centre: np.ndarray, yaw: float, pixel_m: float, width: int, height: int) -> np.ndarray:
    """(4, 3) from homogeneous pixels of a window to homogeneous points of the plane, base frame."""
    x, y = np.array([np.cos(yaw), np.sin(yaw)]), np.array([np.sin(yaw), -np.cos(yaw)])  # y of a tool that points down
    plane = np.zeros((4, 3))
    plane[:2, 0], plane[:2, 1] = pixel_m * x, pixel_m * y
    plane[:2, 2] = centre - pixel_m * ((width - 1) / 2 * x + (height - 1) / 2 * y)
    plane[2:, 2] = PLANE_M, 1.0
    return plane


def _warped(picture: np.ndarray, camera: CameraSpec, seen: np.ndarray, width: int, height: int) -> np.ndarray:
    """The window, given the (4, 3) matrix from its pixels to points in the camera's frame."""
    to_pixel = camera.intrinsics @ seen[:3]
    middle = np.array([width / 2, height / 2, 1.0])
    near = [to_pixel @ (middle + step) for step in np.eye(3)[:2]]
    here = to_pixel @ middle
    coarse = min(np.linalg.norm(there[:2] / there[2] - here[:2] / here[2]) for there in near)
    if here[2] > 0 and coarse > _FINEST:  # average first, or it glitters
        shrink = 1 / min(coarse, 8.0)
        picture = cv2.resize(picture, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    scale = np.array([picture.shape[1] / camera.width, picture.shape[0] / camera.height, 1.0])
    return cv2.warpPerspective(
        picture, scale[:, None] * to_pixel, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT, borderValue=GREY,
    )
