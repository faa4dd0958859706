"""Runs a captured controller's core again, and compares every byte that it says with what it said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgpack
import numpy as np

from tandem.bridge.capture.capture import JOURNAL
from tandem.bridge.contract.errors import LogUnreadable
from tandem.bridge.controller.journal import BEGIN, TICK, again, begun
from tandem.bridge.log.source import damage_named, open_source
from tandem.bridge.wire.codec import MAX_REPLY, decode
from tandem.bridge.wire.kinds import ENVELOPE


@dataclass(frozen=True)
class Verdict:
    """Of one replay.

    Attributes:
        ticks: turns that were run again.
        messages: that were compared.
        difference: the first one, in words; "" when there is none.
        recovered: how much of a file that was cut off could be read; "" for a whole one.
    """

    ticks: int
    messages: int
    difference: str
    recovered: str


def calls(path: Path) -> Iterator[list[Any]]:
    """Every call of the core in a capture, in order. Raises `LogUnreadable`."""
    with damage_named(path):
        for logged in open_source(path).messages(JOURNAL):
            yield from msgpack.unpackb(logged.data)


def replay(path: Path) -> Verdict:
    """Run it again. Raises `LogUnreadable` for a file without a journal."""
    core, ticks, messages = None, 0, 0
    source = open_source(path)
    if source.damage:
        raise LogUnreadable(f"{path}: {source.damage[0]}. What follows a gap cannot be run again")
    recovered = source.recovered or ""
    for call in calls(path):
        if call[0] == BEGIN:
            core = begun(call)
            continue
        if core is None:
            raise LogUnreadable(f"{path}: the journal does not begin with the beginning")
        said = again(core, call)
        if call[0] == TICK:
            ticks, messages = ticks + 1, messages + len(said)
            if difference := _difference(said, call[-1]):
                return Verdict(ticks, messages, f"turn {ticks}: {difference}", recovered)
    if core is None:
        raise LogUnreadable(f"{path} holds no journal: was it made with --capture?")
    return Verdict(ticks, messages, "", recovered)


def _difference(now: list[bytes], then: list[bytes]) -> str:
    if now == then:
        return ""
    for one, other in zip(now, then, strict=False):
        if one != other:
            return _field(one, other)
    return f"{len(now)} messages now, {len(then)} then"


def _field(one: bytes, other: bytes) -> str:
    now, then = decode(one, limit=MAX_REPLY), decode(other, limit=MAX_REPLY)
    if now.kind != then.kind:
        return f"{now.kind} now, {then.kind} then"
    envelope = [(name, getattr(now, name), getattr(then, name)) for name in ENVELOPE if hasattr(now, name)]
    for name, value, before in envelope + [(name, value, then[name]) for name, value in now.fields.items()]:
        if not np.array_equal(value, before):
            return f"{now.kind}.{name}: {value} now, {before} then"
    return f"{now.kind}: other bytes for the same values"
