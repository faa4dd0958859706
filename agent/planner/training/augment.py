"""Makes one picture many: shifted, scaled, mirrored, brighter or darker, noisy; points move along."""

from __future__ import annotations

import cv2
import numpy as np

MAX_SHIFT, MAX_SCALE = 0.03, 0.06  # shares of the picture
MIRROR = 0.5


def augment(
    picture: np.ndarray, points: np.ndarray, rng: np.random.Generator, *, mirror: bool = True, move: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """A variant of a picture.

    Args:
        picture: uint8 (H, W, 3).
        points: (N, 2) shares of width and height.
        rng: the random generator.
        mirror: whether left and right may change places.
        move: whether it may be shifted and scaled.

    Returns:
        The picture and the points in it; points may lie outside now.
    """
    height, width = picture.shape[:2]
    if move:
        scale = 1 + rng.uniform(-MAX_SCALE, MAX_SCALE)
        shift = rng.uniform(-MAX_SHIFT, MAX_SHIFT, 2)
        offset = (0.5 + shift - 0.5 * scale)
        matrix = np.array([[scale, 0, offset[0] * width], [0, scale, offset[1] * height]])
        picture = cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
        points = points * scale + offset
    if mirror and rng.random() < MIRROR:
        picture, points = picture[:, ::-1], np.column_stack([1 - points[:, 0], points[:, 1]])
    return tone(picture, rng), points


def tone(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Other light and a noisier sensor; no colour becomes another."""
    gain = rng.uniform(0.85, 1.15) * (1 + rng.uniform(-0.03, 0.03, 3))
    shown = picture.astype(np.float32) * gain.astype(np.float32) + np.float32(rng.uniform(-10, 10))
    if rng.random() < 0.3:
        shown += rng.normal(0, rng.uniform(2, 9), shown.shape).astype(np.float32)
    return np.clip(shown, 0, 255).astype(np.uint8)
