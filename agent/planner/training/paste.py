"""Fills the empty table of one picture with things cut from others: thrice as much to learn from in every picture.

A cut is a small square with some of its own table around it. Squares of empty table are pasted, too, so that a seam
tells nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

CUT = 15  # half the side of a cut, pixels of the resized picture
BELOW = 4  # a point is on top of a thing: its middle is a little lower
APART, APART_LARGE = 26, 56  # pixels between a cut's middle and any other point
SAME_DEPTH = 0.12  # share of the height by which a thing may be moved up or down: what is far looks smaller
LARGE = (" bin", "tray", "cabinet", "conveyor", " drawer", "drawer", "mat", "drawer handle")
_RIM = np.pad(np.zeros((2 * CUT - 2, 2 * CUT - 2), bool), 1, constant_values=True)
TRIES, EMPTY = 45, 0.1

Known = tuple[np.ndarray, list[dict[str, Any]]]


def paste(target: Known, others: Sequence[Known], rng: np.random.Generator) -> Known:
    """A picture with more in it, and everything that is in it now.

    Args:
        target: uint8 (H, W, 3) and its things, with `u` and `v` as shares.
        others: pictures to cut from.
        rng: the random generator.
    """
    picture, things = target[0].copy(), list(target[1])
    height, width = picture.shape[:2]
    for _ in range(int(rng.integers(10, TRIES))):
        source, known = others[rng.integers(len(others))]
        cut = None if rng.random() < EMPTY else _alone(known, width, height, rng)
        x, y = (cut["u"] * width, cut["v"] * height) if cut else rng.uniform((0, 0.25 * height), (width, 0.9 * height))
        to = _place(things, y, width, height, rng)
        if to is None or (cut is None and _near(known, (x, y), width, height)):
            continue
        if _copy(picture, source, (int(x), int(y) + BELOW), (int(to[0]), int(to[1]) + BELOW)) and cut is not None:
            moved = {"u": (int(to[0]) + x % 1) / width, "v": (int(to[1]) + y % 1) / height, "where": ""}
            things.append({**cut, **moved})
        elif cut is None:
            things.append({"name": "", "u": to[0] / width, "v": to[1] / height, "where": ""})  # taken, and nothing
    return picture, [thing for thing in things if thing["name"]]


def _alone(things: Sequence[Mapping[str, Any]], width: int, height: int, rng: np.random.Generator) -> Any:
    """A small thing that stands free, if there is one."""
    small = [thing for thing in things if not thing["name"].endswith(LARGE) and thing["where"] in ("on the table", "")]
    if not small:
        return None
    thing = small[rng.integers(len(small))]
    rest = [other for other in things if other is not thing]
    return None if _near(rest, (thing["u"] * width, thing["v"] * height), width, height) else thing


def _place(
    things: Sequence[Mapping[str, Any]], y: float, width: int, height: int, rng: np.random.Generator
) -> np.ndarray | None:
    """(2,) a free place of about that height in the picture."""
    to = np.array([rng.uniform(CUT + 1, width - CUT - 1), y + rng.uniform(-SAME_DEPTH, SAME_DEPTH) * height])
    inside = 0.2 * height < to[1] < height - CUT - BELOW - 1
    return to if inside and not _near(things, to, width, height) else None


def _near(things: Sequence[Mapping[str, Any]], at: Any, width: int, height: int) -> bool:
    return any(
        np.hypot(thing["u"] * width - at[0], thing["v"] * height - at[1])
        < (APART_LARGE if thing["name"].endswith(LARGE) else APART)
        for thing in things
    )


def _copy(picture: np.ndarray, source: np.ndarray, at: tuple[int, int], to: tuple[int, int]) -> bool:
    """Copy a square, if it lies within both pictures."""
    height, width = picture.shape[:2]
    if not all(CUT <= x <= width - CUT and CUT <= y <= height - CUT for x, y in (at, to)):
        return False
    (x, y), (to_x, to_y) = at, to
    cut = source[y - CUT : y + CUT, x - CUT : x + CUT].astype(np.int16)
    there = picture[to_y - CUT : to_y + CUT, to_x - CUT : to_x + CUT]
    tone = np.median(there[_RIM], 0) - np.median(cut[_RIM], 0)  # the table of one in the tone of the other
    there[:] = np.clip(cut + tone.astype(np.int16), 0, 255)
    return True
