"""Which episodes get a film strip: pictures are what makes a report big.

False successes first, then failures, in turn over tasks and codes so that none is crowded out, then a few successes.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from itertools import zip_longest
from typing import TypeVar

from tandem.agent.evaluation.report.summary import Ending, code, ending
from tandem.agent.evaluation.results import Record

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Budget:
    """How much of everything a report holds.

    Attributes:
        strips: film strips in all.
        successes: of them at most so many of successes, and of episodes that were not measured.
        frames: pictures of one strip.
        transcript: characters of exchanges with models in all, shared evenly among the episodes.
    """

    strips: int = 100
    successes: int = 4
    frames: int = 7
    transcript: int = 6_000_000


def with_strips(records: dict[Key, Record], budget: Budget) -> set[Key]:
    """The keys of the episodes that get one."""
    bad = [*_in_turn(records, Ending.FALSE_SUCCESS), *_in_turn(records, Ending.FAILURE)]
    good = _in_turn(records, Ending.SUCCESS, Ending.UNMEASURED)[: budget.successes]
    return set([*bad, *good][: budget.strips])


def _in_turn(records: dict[Key, Record], *wanted: Ending) -> list[Key]:
    """Those that ended so: the first of each task and code, then the second of each, and so on."""
    groups: dict[tuple[str, str], list[Key]] = {}
    for key, record in records.items():
        if ending(record) in wanted:
            groups.setdefault((record.task, code(record)), []).append(key)
    rounds = zip_longest(*groups.values())
    return [key for turn in rounds for key in turn if key is not None]
