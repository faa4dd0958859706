"""A log in several files, read as one: a long run goes on in `NAME-part2.mcap`, `NAME-part3.mcap` and so on.

Each part is a whole log with manifest and model. Its record "part" holds its number, the run that all parts share, and
the name of the part before; its record "next" names the one that follows.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate, chain, count, takewhile
from pathlib import Path
from typing import Any

from mcap.records import Attachment

from tandem.bridge.contract.errors import LogUnreadable, LogUnwritable
from tandem.bridge.log.damage import Damage
from tandem.bridge.log.source import Logged, Source, open_source

PART, NEXT = "part", "next"
_NUMBERED = re.compile(r"(.+)-part(\d+)")


def part_path(first: Path, number: int) -> Path:
    """Name of a part, by the first one's."""
    return first if number == 1 else first.with_name(f"{first.stem}-part{number}{first.suffix}")


def first_part(path: Path) -> Path:
    """Name of the first part, by any one's."""
    match = _NUMBERED.fullmatch(path.stem)
    return path if match is None else path.with_name(f"{match[1]}{path.suffix}")


def parts_beside(first: Path) -> list[Path]:
    """The files of a log by their names, the first one at the head."""
    return [first, *takewhile(Path.exists, (part_path(first, number) for number in count(2)))]


def goes_on_from(path: Path) -> Path | None:
    """The first part, if it lies beside this later one and is so read in its stead."""
    first = first_part(path)
    return first if first != path and first.exists() else None


def _number(path: Path) -> int:
    match = _NUMBERED.fullmatch(path.stem)
    return 1 if match is None else int(match[2])


def check_free(first: Path) -> None:
    """Raise `LogUnwritable` when a later part of that name is there already."""
    second = part_path(first, 2)
    if second.exists():
        raise LogUnwritable(f"{second} exists and is never overwritten: choose another name than {first.name}")


class Joined:
    """Several files in order, with the interface of one `Source`.

    Args:
        sources: the parts that can be read.
        missing: of the others, number and words.
    """

    def __init__(self, sources: list[Source], missing: dict[int, str]):
        first, self._sources, self._missing = sources[0], sources, missing
        self.path, self.metadata = first.path, dict(chain.from_iterable(one.metadata.items() for one in sources))
        self.metadata |= {name: told for name, told in first.metadata.items() if name != NEXT}
        self.counts = Counter[str]()
        for one in sources:
            self.counts.update(one.counts)
        self.schemas = {topic: schema for one in sources for topic, schema in one.schemas.items()}
        self.encodings = {topic: name for one in sources for topic, name in one.encodings.items()}
        self.channel_metadata = {topic: told for one in sources for topic, told in one.channel_metadata.items()}

    @property
    def files(self) -> tuple[Path, ...]:
        """The parts, in order."""
        return tuple(one.path for one in self._sources)

    @property
    def recovered(self) -> str | None:
        """How much could be read, in words; None when every part is whole and the last one the end."""
        told = [f"{one.path.name}: {one.recovered}" for one in self._sources if one.recovered]
        if not told and not self._missing:
            return None
        return "; ".join([f"recovered {sum(self.counts.values())} messages", *told, *self._missing.values()])

    @property
    def span_s(self) -> tuple[float, float]:
        """Body time of the first and of the last message."""
        return self._sources[0].span_s[0], self._sources[-1].span_s[1]

    @property
    def damage(self) -> tuple[Damage, ...]:
        """The damaged places that something readable follows."""
        *before, last = self._sources
        end = _number(last.path)
        gone = [Damage("the log", 0, 0, words, {}) for number, words in self._missing.items() if number < end]
        return (*gone, *chain.from_iterable(one.account.damage for one in before), *last.damage)

    def messages(self, *topics: str, start_ns: int | None = None, end_ns: int | None = None) -> Iterator[Logged]:
        """See `Source.messages`."""
        for source in self._sources:
            yield from source.messages(*topics, start_ns=start_ns, end_ns=end_ns)

    def read(self, topic: str, number: int) -> bytes:
        """See `Source.read`."""
        source, within = self._find(topic, number)
        return source.read(topic, within)

    def latest(self, topic: str, time_ns: int) -> int | None:
        """See `Source.latest`."""
        before = self._begins(topic)
        for begin, source in reversed(list(zip(before, self._sources, strict=True))):
            found = source.latest(topic, time_ns)
            if found is not None:
                return begin + found
        return None

    def time_ns(self, topic: str, number: int) -> int:
        """See `Source.time_ns`."""
        source, within = self._find(topic, number)
        return source.time_ns(topic, within)

    def attachments(self) -> Iterator[Attachment]:
        """Those of the first part that holds each."""
        told = set[str]()
        for record in chain.from_iterable(source.attachments() for source in self._sources):
            if record.name not in told:
                told.add(record.name)
                yield record

    def _begins(self, topic: str) -> list[int]:
        return list(accumulate((one.counts.get(topic, 0) for one in self._sources[:-1]), initial=0))

    def _find(self, topic: str, number: int) -> tuple[Source, int]:
        begins = self._begins(topic)
        part = bisect_right(begins, number) - 1
        return self._sources[part], number - begins[part]


def open_parts(path: Path) -> Source | Joined:
    """A log by the name of its only file or of any of its parts. Raises `LogUnreadable`."""
    source = open_source(path)
    if PART not in source.metadata and NEXT not in source.metadata:
        return source
    run, first = _told(source, PART).get("run"), first_part(path)
    sources, missing, number = list[Source](), dict[int, str](), 1
    while True:
        part = source if part_path(first, number) == path else _part(first, number, run, missing)
        if part is not None:
            sources.append(part)
        if (part is None or NEXT not in part.metadata) and not part_path(first, number + 1).exists():
            return Joined(sources, missing)
        number += 1


def _part(first: Path, number: int, run: str | None, missing: dict[int, str]) -> Source | None:
    path = part_path(first, number)
    try:
        source = open_source(path)
    except LogUnreadable as reason:
        missing[number] = f"part {path.name} cannot be read: {reason}"
        return None
    if _told(source, PART).get("run") != run:
        missing[number] = f"part {path.name} belongs to another run"
        return None
    return source


def _told(source: Source, name: str) -> dict[str, Any]:
    return {key: json.loads(text) for key, text in source.metadata.get(name, {}).items()}
