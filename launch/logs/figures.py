"""Figures of a log that both the screen and the table show."""

from __future__ import annotations

from pathlib import Path

from tandem.bridge.log import LogReader
from tandem.bridge.log.parts import first_part, part_path


def duration_s(log: LogReader) -> float:
    """Body time from the first to the last message."""
    return log.span_s[1] - log.span_s[0]


def size_of(path: Path) -> int:
    """Bytes, of all parts."""
    first, size, number = first_part(path), 0, 1
    if not first.exists():
        return path.stat().st_size
    while (part := part_path(first, number)).exists():
        size, number = size + part.stat().st_size, number + 1
    return size


def words_of_size(size: int) -> str:
    """In MB."""
    return f"{size / 1e6:.2f} MB"
