"""Makes one picture many: shifted, scaled, mirrored, brighter or darker, noisy; points move along."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np

MAX_SHIFT, MAX_SCALE = 0.03, 0.06  # shares of the picture
MIRROR = 0.5
SPREAD_OUT = (" bin", "tray", "cabinet", "conveyor", "mat")  # things that are larger than a cut-out


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


def cut_out(
    picture: np.ndarray, things: Sequence[Mapping[str, Any]], side: int, rng: np.random.Generator
) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """A square of `side` pixels somewhere around one of the things, and all whose point is in it.

    Small things are preferred. Whereabouts are left out: a cut-out does not show them.
    """
    size = np.array(picture.shape[1::-1])
    points = np.array([[thing["u"], thing["v"]] for thing in things]) * size
    small = [k for k, thing in enumerate(things) if not thing["name"].endswith(SPREAD_OUT)] or range(len(things))
    scale = rng.uniform(0.88, 1.14)
    corner = points[small[rng.integers(len(small))]] - rng.uniform(0.22 * side, 0.78 * side, 2) / scale
    matrix = np.array([[scale, 0, -corner[0] * scale], [0, scale, -corner[1] * scale]])
    cut = cv2.warpAffine(picture, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE)
    at = (points - corner) * scale / side
    if rng.random() < MIRROR:
        cut, at = cut[:, ::-1], np.column_stack([1 - at[:, 0], at[:, 1]])
    kept = [
        {**thing, "u": u, "v": v, "where": ""}
        for thing, (u, v) in zip(things, at, strict=True) if 0 <= u < 1 and 0 <= v < 1
    ]
    return tone(cut, rng), kept
