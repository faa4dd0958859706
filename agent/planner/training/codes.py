"""What a visual token should say, in numbers: the language in which eyes and mind meet before they have met.

The vision tower is taught to write these codes, the text tower to read them, side by side and each without the other.
A cell holds up to two things. Each has a part of the code: one-hot words for its name and whereabouts, and waves for
its place, so that what is near is alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from tandem.agent.planner.training.architecture import CELLS, HEIGHT, WIDTH, waves
from tandem.agent.planner.training.words import COLOURS, KINDS, PLACES, split_name, split_where

PER_CELL = 2  # things
BINS = 200  # numbers 0, 5, 10, ... 995
UNIT = 0.3  # size of a word in the code
FIELDS = {
    "there": 2, "colour": len(COLOURS), "kind": len(KINDS), "place": len(PLACES), "support_colour": len(COLOURS),
    "support_kind": len(KINDS), "x": 22, "y": 22,
}
WORDS = tuple(FIELDS)[1:-2]  # fields of a known thing, in the order of `Slots.words`
PART = 128  # numbers of the code for each thing
SHORTEST, LONGEST, LOUDNESS = 10, 900, 0.5  # waves of places: lengths in bins, and size in units
IGNORE = -100

_starts = np.cumsum([0, *FIELDS.values()])
SPANS = {name: slice(int(at), int(at) + size) for (name, size), at in zip(FIELDS.items(), _starts, strict=False)}
AXIS = waves(torch.arange(BINS).float(), FIELDS["x"], SHORTEST, LONGEST) * (LOUDNESS * UNIT)


class Slots:
    """The things of one picture in the slots of its cells.

    Attributes:
        index: int (N,) slot of each: cell * PER_CELL + which.
        words: int (N, 5) colour, kind, place, colour and kind of the support, -100 where there is none.
        bins: float (N, 2) places, in bins.
        kept: int (N,) which of the things they are; a cell that is full turns further ones away.
    """

    def __init__(self, things: Sequence[Mapping[str, Any]]):
        taken: set[int] = set()
        found: list[tuple[int, tuple[int, ...], tuple[float, float], int]] = []
        order = sorted(range(len(things)), key=lambda k: (-things[k]["v"], things[k]["u"]))  # the nearest first
        for number in order:
            thing = things[number]
            name, where = split_name(thing["name"]), split_where(thing["where"])
            slot = next((slot for slot in slots_around(thing["u"], thing["v"]) if slot not in taken), None)
            if name is None or slot is None:
                continue
            taken.add(slot)
            place, colour, kind = where or (IGNORE, IGNORE, IGNORE)
            support = (colour, kind) if kind >= 0 else (IGNORE, IGNORE)
            found.append((slot, (*name, place, *support), (thing["u"] * BINS, thing["v"] * BINS), number))
        self.index = np.array([slot for slot, _, _, _ in found], np.int64)
        self.words = np.array([words for _, words, _, _ in found], np.int64).reshape(-1, len(WORDS))
        self.bins = np.array([bins for _, _, bins, _ in found], np.float32).reshape(-1, 2)
        self.kept = np.array([number for _, _, _, number in found], np.int64)

    def codes(self) -> np.ndarray:
        """float32 (cells, PER_CELL * PART), as a perfect eye would write it."""
        made = np.zeros((CELLS[0] * CELLS[1] * PER_CELL, PART), np.float32)
        made[:, SPANS["there"].start] = UNIT  # nothing there
        made[self.index, SPANS["there"]] = (0.0, UNIT)
        for column, name in enumerate(WORDS):
            known = self.words[:, column] >= 0
            made[self.index[known], SPANS[name].start + self.words[known, column]] = UNIT
        axis = AXIS.numpy()
        for column, name in enumerate(("x", "y")):
            made[self.index, SPANS[name]] = axis[np.clip(np.round(self.bins[:, column]), 0, BINS - 1).astype(int)]
        return made.reshape(-1, PER_CELL * PART)


def slots_around(u: float, v: float) -> list[int]:
    """Slots of the cell that a point lies in, then of those beside it, the nearest first; none outside the picture."""
    if not (0 <= u < 1 and 0 <= v < 1):
        return []
    y, x = v * CELLS[0], u * CELLS[1]
    around = [(row, column) for row in range(int(y) - 1, int(y) + 2) for column in range(int(x) - 1, int(x) + 2)
              if 0 <= row < CELLS[0] and 0 <= column < CELLS[1]]
    around.sort(key=lambda at: (at != (int(y), int(x)), (at[0] + 0.5 - y) ** 2 + (at[1] + 0.5 - x) ** 2))
    return [(row * CELLS[1] + column) * PER_CELL + which for row, column in around for which in range(PER_CELL)]


def off_pixels(bins: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """(N,) the larger of the two errors of places (N, 2) in bins, in pixels of the picture."""
    return ((bins - truth).abs() / BINS * torch.tensor([WIDTH, HEIGHT], device=bins.device)).max(-1).values
