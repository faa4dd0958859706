"""The grain of a camera's pictures: a little noise on every pixel, cheap enough for the pictures of a whole rig.

Drawing a million normal deviates for each picture would cost more than rendering it. So a camera draws a sheet of them
once, a bit larger than its picture, and lays it over each picture at a place drawn anew.
"""

from __future__ import annotations

import zlib

import cv2
import numpy as np

from tandem.sim.cameras import CameraRequest

COLOUR_LEVELS, DEPTH_M = 1.5, 0.0005  # standard deviations
_MARGIN = 2**16  # places where the sheet can lie


class Grain:
    """Of one camera.

    Args:
        camera: the camera.
    """

    def __init__(self, camera: CameraRequest):
        self._source = zlib.crc32(camera.name.encode())
        rng, pixels = np.random.default_rng(self._source), camera.width * camera.height
        colour = rng.standard_normal(3 * pixels + _MARGIN, np.float32) * np.float32(COLOUR_LEVELS)
        self._colour = np.rint(colour).astype(np.int8)
        self._depth = rng.standard_normal(pixels + _MARGIN, np.float32) * np.float32(DEPTH_M)
        self.reset(0)

    def reset(self, seed: int) -> None:
        """A new world: the places are drawn from its seed."""
        self._rng = np.random.default_rng([seed, self._source])

    def over(self, rgb: np.ndarray, depth: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
        """A picture uint8 (H, W, 3) with its depth float32 (H, W) in metres, as the camera gives them.

        Where there is no depth (0) there is none still.
        """
        at = int(self._rng.integers(_MARGIN))
        coloured = cv2.add(rgb, self._colour[at : at + rgb.size].reshape(rgb.shape), dtype=cv2.CV_8U)
        if depth is None:
            return coloured, None
        noisy = depth + self._depth[at : at + depth.size].reshape(depth.shape)
        return coloured, np.where(depth > 0, np.maximum(noisy, 0), np.float32(0))
