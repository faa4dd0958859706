"""Pictures in the size that a server was trained on: resized without distortion, black where nothing is left.

The rule is that of `tf.image.resize_with_pad`, which openpi's and many other clients follow.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from tandem.bridge.contract import CameraSpec


def resize_with_pad(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """A picture (h, w, 3) uint8 as (height, width, 3) uint8, in the middle of a black frame.

    Args:
        picture: RGB.
        width: pixels.
        height: pixels.
    """
    h, w = picture.shape[:2]
    if (w, h) == (width, height):
        return picture
    inner, left, top = _placed(w, h, width, height)
    smooth = cv2.INTER_AREA if w > inner[0] else cv2.INTER_LINEAR  # no aliasing when it becomes smaller
    small = cv2.resize(picture, inner, interpolation=smooth)
    framed = np.zeros((height, width, 3), np.uint8)
    framed[top:top + inner[1], left:left + inner[0]] = small
    return framed


def padded(camera: CameraSpec, width: int, height: int) -> CameraSpec:
    """The camera whose pictures `resize_with_pad` makes: its intrinsics are those of the new pixels, without depth."""
    inner, left, top = _placed(camera.width, camera.height, width, height)
    across, down = inner[0] / camera.width, inner[1] / camera.height
    moved = np.array([[across, 0.0, left], [0.0, down, top], [0.0, 0.0, 1.0]])
    return replace(camera, width=width, height=height, intrinsics=moved @ camera.intrinsics, depth=False)


def _placed(w: int, h: int, width: int, height: int) -> tuple[tuple[int, int], int, int]:
    """Size of the picture within the frame, and how far it is from the frame's left and top."""
    ratio = max(w / width, h / height)
    inner = max(1, int(w / ratio)), max(1, int(h / ratio))
    return inner, (width - inner[0]) // 2, (height - inner[1]) // 2
