"""Where samples come from: the shards of a data folder, those that are trained on and those that are held out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tandem.agent.planner.training.shards import Shards

PICTURES, RECORDS = "pictures", "records"  # sub-folders of the data: with pictures, and without
HELD_OUT = 1  # shards of each that are never trained on: the first


@dataclass(frozen=True, eq=False)
class Sources:
    """Where samples come from.

    Attributes:
        pictures: records with pictures.
        records: records, with or without.
    """

    pictures: Shards
    records: tuple[Shards, ...]

    @classmethod
    def of(cls, folder: Path, *, held_out: bool = False) -> Sources:
        """The shards of a data folder, either all that are trained on or those that are held out."""
        part = slice(0, HELD_OUT) if held_out else slice(HELD_OUT, None)
        pictures = Shards(folder / PICTURES, part)
        more = (Shards(folder / RECORDS, part),) if any((folder / RECORDS).glob("*.jsonl")) else ()
        return cls(pictures, (pictures, *more))

    def any_shards(self, rng: np.random.Generator) -> Shards:
        """A source, in the measure of its size."""
        sizes = np.array([len(source) for source in self.records], float)
        return self.records[rng.choice(len(sizes), p=sizes / sizes.sum())]

    def any_record(self, rng: np.random.Generator) -> Mapping[str, Any]:
        """A record of any source."""
        source = self.any_shards(rng)
        return source.record(int(rng.integers(len(source))))
