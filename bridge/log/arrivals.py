"""The writer's side of a backlog: entries as they come, until the recording process closes its side or is gone."""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Iterator

from tandem.bridge.log.backlog import FAILED, RECORD, WRITTEN, aligned, counts_in

POLL_S = 0.005
_AT_ONCE = 256  # entries


class Arrivals:
    """Iterates over what a backlog holds, head and body, in order; None whenever nothing waits.

    Both are views of the shared memory, good until the next entry is asked for.

    Args:
        memory: descriptor of the shared memory.
        bell: descriptor of the pipe that says where entries are.
        recording: process that fills the backlog; when it is no longer this one's parent, nothing more will come.
            0 for the same process.
    """

    def __init__(self, memory: int, bell: int, recording: int = 0):
        self._memory = mmap.mmap(memory, 0)
        self._view, self._counts = memoryview(self._memory), counts_in(self._memory)
        self._bell, self._recording = bell, recording

    def __iter__(self) -> Iterator[tuple[memoryview, memoryview] | None]:
        while True:
            orphaned = self._recording and os.getppid() != self._recording  # asked first: what came before is read
            try:
                records = os.read(self._bell, _AT_ONCE * RECORD.size)
            except BlockingIOError:
                if orphaned:  # somebody else, forked from it, still holds its end of the pipe
                    return
                yield None
                time.sleep(POLL_S)
                continue
            if not records:
                return
            yield from self._entries(records)

    def _entries(self, records: bytes) -> Iterator[tuple[memoryview, memoryview]]:
        for at, head, size in RECORD.iter_unpack(records):
            yield self._view[at : at + head], self._view[at + aligned(head) : at + size]
            self._counts[WRITTEN] += aligned(size)

    def fail(self) -> None:
        """Tell the other side that nothing more will be written."""
        self._counts[FAILED] = 1
