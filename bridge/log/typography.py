"""Text and marks on pictures: one typeface, one set of colours, for films and contact sheets alike. All RGB."""

from __future__ import annotations

from functools import cache
from typing import Any

import cv2
import numpy as np

from tandem.bridge.contract.errors import MissingDependency

Colour = tuple[int, int, int]

NIGHT, CARD, RULE = (20, 22, 27), (33, 36, 43), (58, 63, 73)
INK, MUTED = (240, 242, 245), (150, 157, 169)
GOOD, BAD, UNSURE, ACTIVE = (76, 195, 120), (240, 88, 88), (235, 176, 64), (88, 160, 245)
REGULAR, SEMIBOLD = 400, 600
_SHIFT = 4  # bits of sub-pixel accuracy in OpenCV's drawing


@cache
def _face() -> Any:
    if not hasattr(cv2, "FontFace"):
        raise MissingDependency("OpenCV 5, whose typeface captions use,", "pip install 'opencv-python-headless>=5'")
    return cv2.FontFace("sans")


def write(
    canvas: np.ndarray, text: str, at: tuple[int, int], size: int, colour: Colour = INK, weight: int = REGULAR
) -> int:
    """Draw `text` with its baseline starting at (x, y); returns the x where it ends."""
    cv2.putText(canvas, text, at, colour, _face(), size, weight)
    return at[0] + width(text, size, weight)


def width(text: str, size: int, weight: int = REGULAR) -> int:
    """How many pixels wide `text` is."""
    # The box hugs the ink, so a blank at either end measures nothing: measure between two bars.
    def box(words: str) -> int:
        return cv2.getTextSize((0, 0), words, (0, 0), _face(), size, weight, 0, (0, 1 << 20))[2]

    return box(f"|{text}|") - box("||") if text else 0


def fit(text: str, room: int, size: int, weight: int = REGULAR) -> str:
    """`text`, cut with an ellipsis so that it is at most `room` pixels wide."""
    if width(text, size, weight) <= room:
        return text
    while text and width(f"{text}…", size, weight) > room:
        text = text[:-1].rstrip()
    return f"{text}…"


def mark(canvas: np.ndarray, centre: tuple[float, float], size: float, value: bool | None) -> None:
    """A tick, a cross, or for None a dash, in its colour."""
    x, y, r = *centre, size / 2
    if value is None:
        strokes, colour = [[(x - 0.7 * r, y), (x + 0.7 * r, y)]], UNSURE
    elif value:
        strokes, colour = [[(x - r, y + 0.05 * r), (x - 0.25 * r, y + 0.75 * r), (x + r, y - 0.75 * r)]], GOOD
    else:
        d = 0.75 * r
        strokes, colour = [[(x - d, y - d), (x + d, y + d)], [(x - d, y + d), (x + d, y - d)]], BAD
    lines = [np.round(np.array(stroke) * (1 << _SHIFT)).astype(np.int32) for stroke in strokes]
    cv2.polylines(canvas, lines, False, colour, max(2, round(size / 6)), cv2.LINE_AA, _SHIFT)


def dot(canvas: np.ndarray, centre: tuple[float, float], radius: float, colour: Colour) -> None:
    """A filled circle."""
    at = tuple(round(c * (1 << _SHIFT)) for c in centre)
    cv2.circle(canvas, at, round(radius * (1 << _SHIFT)), colour, -1, cv2.LINE_AA, _SHIFT)
