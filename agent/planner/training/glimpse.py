"""What a text tower is given of a picture: codes of cells, as eyes saw them or as it imagines them.

An imagined glimpse is made of what is known to be there, without a picture: as sharp eyes would see it, and then less
sharply, since real ones err: they doubt words, and see a thing at the edge of a cell in two of them. Cells in which
nothing is are mostly left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tandem.agent.planner.training.codes import AXIS, BINS, PART, PER_CELL, SPANS, UNIT, WORDS, Slots, slots_around

NOISE = (0.02, 0.2)  # of every number, in units of a word: from, to
DOUBT, DOUBTFUL = 0.12, (0.1, 0.45)  # share of words that are not sure, and how much goes to another word
DOUBLED, SURENESS = 0.15, (-0.4, 1.0)  # share of things seen a second time, and how sure: -1 not there, 1 there
STRAY, NEAREST = 1.5, 4  # places of second sightings are off by so much, in bins; slots in which they may be
EMPTY_SHOWN = (0.03, 0.1, 0.3, 1.0)  # share of empty cells that are given
EMPTY_ODDS = (0.45, 0.3, 0.2, 0.05)


@dataclass(frozen=True, eq=False)
class Glimpse:
    """A picture as the text tower gets it.

    Attributes:
        cells: int (K,) numbers of the cells that are given, row by row.
        codes: float (K, width).
    """

    cells: np.ndarray
    codes: np.ndarray

    def thinned(self, rng: np.random.Generator) -> Glimpse:
        """Some of the cells that hold nothing are left out; whether they do, the code itself says."""
        absent, present = self.codes.reshape(len(self.codes), PER_CELL, PART)[..., SPANS["there"]].transpose(2, 0, 1)
        empty = (present < absent - 0.5 * UNIT).all(1)
        kept = ~empty | (rng.random(len(empty)) < rng.choice(EMPTY_SHOWN, p=EMPTY_ODDS))
        kept[rng.integers(len(kept))] = True  # never nothing at all
        return Glimpse(self.cells[kept], self.codes[kept])


def imagined(things: Sequence[Mapping[str, Any]], rng: np.random.Generator) -> Glimpse:
    """A glimpse of these things, by eyes that err a little."""
    slots = Slots(things)
    codes = slots.codes()
    flat = codes.reshape(-1, PART)
    _double(flat, slots, rng)
    for column, name in enumerate(WORDS):
        unsure = slots.index[(slots.words[:, column] >= 0) & (rng.random(len(slots.index)) < DOUBT)]
        share = rng.uniform(*DOUBTFUL, (len(unsure), 1)).astype(np.float32)
        span = flat[unsure, SPANS[name]]
        other = np.zeros_like(span)
        other[np.arange(len(unsure)), rng.integers(span.shape[1], size=len(unsure))] = UNIT
        flat[unsure, SPANS[name]] = (1 - share) * span + share * other
    noise = UNIT * rng.uniform(*NOISE)
    whole = Glimpse(np.arange(len(codes)), codes).thinned(rng)
    noisy = whole.codes + rng.normal(0, noise, whole.codes.shape).astype(np.float32)
    return Glimpse(whole.cells, noisy)


def _double(flat: np.ndarray, slots: Slots, rng: np.random.Generator) -> None:
    """Some things are seen again, in one of the free slots nearest to them, with less certainty."""
    taken, axis = set(slots.index.tolist()), AXIS.numpy()
    for number in np.flatnonzero(rng.random(len(slots.index)) < DOUBLED):
        bins = slots.bins[number]
        near = [slot for slot in slots_around(*bins / BINS) if slot not in taken][:NEAREST]
        if not near:
            continue
        again, sure = near[rng.integers(len(near))], rng.uniform(*SURENESS)
        taken.add(again)
        flat[again] = flat[slots.index[number]]
        flat[again, SPANS["there"]] = UNIT * np.array([(1 - sure) / 2, (1 + sure) / 2])
        x, y = np.clip(np.round(bins + rng.normal(0, STRAY, 2)), 0, BINS - 1).astype(int)
        flat[again, SPANS["x"]], flat[again, SPANS["y"]] = axis[x], axis[y]
