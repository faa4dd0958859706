"""Colour words, as hues. A planner's words often hold one, and a pixel of another colour cannot be what they mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

HUES_DEG: Mapping[str, tuple[float, float]] = MappingProxyType({
    "red": (-18.0, 13.0), "orange": (13.0, 39.0), "yellow": (39.0, 68.0), "green": (75.0, 165.0),
    "blue": (190.0, 255.0), "purple": (255.0, 320.0),
})
"""Range of hue by word, degrees."""

_SATURATED = 0.6  # wood, cardboard and metal are paler


def named_in(words: str) -> str | None:
    """The first colour word in some words, None without one."""
    found = re.search(rf"\b({'|'.join(HUES_DEG)})\b", words.lower())
    return found.group(1) if found else None


def has_colour(rgb: np.ndarray, name: str) -> np.ndarray:
    """(...) bool: pixels (..., 3) uint8 whose hue goes by that name."""
    channels = rgb.astype(np.float32)
    high, low = channels.max(axis=-1), channels.min(axis=-1)
    spread = np.maximum(high - low, 1e-6)
    red, green, blue = channels[..., 0], channels[..., 1], channels[..., 2]
    other = np.where(high == green, 2 + (blue - red) / spread, 4 + (red - green) / spread)
    hue = 60.0 * np.where(high == red, (green - blue) / spread, other)
    first, last = HUES_DEG[name]
    within = (hue - first) % 360.0 <= last - first
    return within & (spread > _SATURATED * np.maximum(high, 1.0)) & (high > 25)
