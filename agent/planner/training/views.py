"""Where glimpses come from while the embedded model learns to speak: imagined, or remembered from real pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from tandem.agent.planner.training.codes import Slots
from tandem.agent.planner.training.glimpse import Glimpse, imagined
from tandem.agent.planner.training.scenery import scattered, varied_record
from tandem.agent.planner.training.shards import Shards
from tandem.agent.planner.training.sources import Sources

Record = Mapping[str, Any]
SOUGHT, SHOWN = 0.5, 3  # share of tables that are chosen for having many slots, and of how many


class Views(Protocol):
    """Draws what is known of tables, with glimpses of them."""

    def one(self, rng: np.random.Generator) -> tuple[Record, Glimpse]:
        """A table; everything in the record's `things` can be seen in the glimpse."""

    def two(self, rng: np.random.Generator) -> tuple[Record, Glimpse, Glimpse] | None:
        """A table later, and glimpses of before and after; None when what was drawn has no before."""


@dataclass(frozen=True, eq=False)
class Imagined:
    """Glimpses made of records.

    Attributes:
        sources: the records.
        vary: in other colours, and mirrored; tables with many slots come more often.
    """

    sources: Sources
    vary: bool = True

    def one(self, rng: np.random.Generator) -> tuple[Record, Glimpse]:
        """See `Views`. Often fewer things than there were, and elsewhere: few and far apart are told most easily."""
        record = _drawn(lambda: self.sources.any_record(rng), rng, self.vary)
        if self.vary:
            record = {**record, "things": scattered(record["things"], rng)}
        return self._see(record, rng, int(rng.integers(2**32)))

    def two(self, rng: np.random.Generator) -> tuple[Record, Glimpse, Glimpse] | None:
        """See `Views`."""
        shards = self.sources.any_shards(rng)
        pair = _of_one_world(shards, int(rng.integers(len(shards) - 1)))
        if pair is None:
            return None
        seed = int(rng.integers(2**32))
        (_, before), (record, after) = (self._see(record, rng, seed) for record in pair)
        return record, before, after

    def _see(self, record: Record, rng: np.random.Generator, seed: int) -> tuple[Record, Glimpse]:
        made = varied_record(record, np.random.default_rng(seed)) if self.vary else record
        shown = [made["things"][k] for k in Slots(made["things"]).kept]
        return {**made, "things": shown}, imagined(shown, rng)


@dataclass(frozen=True, eq=False)
class Remembered:
    """What eyes made of real pictures, kept in memory.

    Attributes:
        shards: the pictures.
        codes: float16 (N, cells, width).
        numbers: int (N,) which of the pictures they are of, ascending.
        seek: tables with many slots come more often.
    """

    shards: Shards
    codes: np.ndarray
    numbers: np.ndarray
    seek: bool = True

    def one(self, rng: np.random.Generator) -> tuple[Record, Glimpse]:
        """See `Views`."""
        def draw() -> tuple[Record, int]:
            index = int(rng.integers(len(self.codes)))
            return self.shards.record(int(self.numbers[index])), index

        record, index = _drawn(draw, rng, self.seek, of=lambda drawn: drawn[0])
        return record, self._glimpse(index, rng)

    def two(self, rng: np.random.Generator) -> tuple[Record, Glimpse, Glimpse] | None:
        """See `Views`."""
        index = int(rng.integers(len(self.codes) - 1))
        first = int(self.numbers[index])
        if self.numbers[index + 1] != first + 1 or (pair := _of_one_world(self.shards, first)) is None:
            return None
        return pair[1], self._glimpse(index, rng), self._glimpse(index + 1, rng)

    def _glimpse(self, index: int, rng: np.random.Generator) -> Glimpse:
        codes = self.codes[index].astype(np.float32)
        return Glimpse(np.arange(len(codes)), codes).thinned(rng)


@dataclass(frozen=True, eq=False)
class Either:
    """One or the other, evenly: what is remembered is true, what is imagined never ends.

    Attributes:
        views: both.
    """

    views: tuple[Views, Views]

    def one(self, rng: np.random.Generator) -> tuple[Record, Glimpse]:
        """See `Views`."""
        return self.views[rng.integers(2)].one(rng)

    def two(self, rng: np.random.Generator) -> tuple[Record, Glimpse, Glimpse] | None:
        """See `Views`."""
        return self.views[rng.integers(2)].two(rng)


def _drawn(
    draw: Callable[[], Any], rng: np.random.Generator, seek: bool, of: Callable[[Any], Record] = lambda drawn: drawn
) -> Any:
    """A draw; sought, half of the time that of a few whose record has the most slots, which few tables have at all."""
    drawn = [draw() for _ in range(SHOWN if seek and rng.random() < SOUGHT else 1)]
    return max(drawn, key=lambda one: sum(thing["name"].endswith(" slot") for thing in of(one)["things"]))


def spread(total: int, count: int, run: int = 6) -> np.ndarray:
    """int (N,) numbers of at most about `count` of `total` pictures: runs of neighbours, evenly over all of them."""
    if count >= total:
        return np.arange(total)
    starts = np.linspace(0, total - run, max(1, count // run)).astype(int)
    return np.unique(starts[:, None] + np.arange(run))


def _of_one_world(shards: Shards, first: int) -> tuple[Record, Record] | None:
    """The records of a picture and of the next; None when they show two worlds."""
    before, after = shards.record(first), shards.record(first + 1)
    return (before, after) if before["seed"] == after["seed"] else None
