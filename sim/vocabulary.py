"""The words for colours and shapes, and what they look like. One place, so that instruction and picture agree."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

COLOURS: Mapping[str, tuple[float, float, float]] = MappingProxyType({
    "red": (0.80, 0.10, 0.09),
    "green": (0.10, 0.58, 0.18),
    "blue": (0.10, 0.25, 0.80),
    "yellow": (0.95, 0.80, 0.08),
    "purple": (0.47, 0.14, 0.62),
    "orange": (0.95, 0.45, 0.05),
})
"""Linear RGB by word."""

SHAPES = ("cube", "cylinder", "brick")
"""Shapes of loose objects: cube, upright cylinder, brick (1.7 times as long as wide)."""


def listed(words: list[str] | tuple[str, ...]) -> str:
    """'a', 'a and b', 'a, b and c'."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
