"""What waits to be written: in memory that the recording and the writing process share, bounded, honest about losses.

An entry is laid out in that memory as a head and a body, bytes both; a few bytes in a pipe then say where. The writer
asks the pipe every few milliseconds: the control thread never wakes anybody, and the two share no interpreter lock.
The pipe also keeps the order on processors that reorder writes to memory, and its end tells the writer that nothing
more will come, whatever became of the recording process.
"""

from __future__ import annotations

import mmap
import os
import select
import struct
import threading
import time
from collections import deque

from tandem.bridge.contract.errors import LogUnwritable

STALL_S = 30.0
STEP_RESERVE, EVENT_RESERVE = 8 * 2**20, 16 * 2**20  # beyond the queue: pictures go first, then steps, events never
SPARE_BYTES = 2**20  # what a large entry holds besides what was announced
RECORD = struct.Struct("=QQQ")  # where an entry begins, how long its head is, how long it is in all
ALIGN = 64  # heads and bodies begin at a multiple of it; the counts take the first so many bytes
WRITTEN, FAILED = 0, 1  # the counts, which the writer sets: bytes written so far; whether it has failed


def counts_in(memory: mmap.mmap) -> memoryview:
    """The counts at the beginning of the shared memory, as whole numbers."""
    return memoryview(memory)[:ALIGN].cast("Q")


def aligned(size: int) -> int:
    """The next multiple of `ALIGN`."""
    return -size % ALIGN + size


class Backlog:
    """The side that fills it; `arrivals.Arrivals` is the other.

    Args:
        capacity: bytes that may wait; one larger entry is let in when nothing else waits.
        largest: bytes of the largest single entry to come.
        stall_s: how long a full backlog may make no progress before `put` raises `LogUnwritable`.

    Attributes:
        memory: descriptor of the shared memory.
        bell: descriptor from which the writer reads where entries are.
    """

    def __init__(self, capacity: int, *, largest: int = 0, stall_s: float = STALL_S):
        self._capacity, self._stall_s = capacity, stall_s
        # Twice what may wait, so that a place in one piece is always found. A page that is never used takes no memory.
        self._room = 2 * max(capacity + EVENT_RESERVE, aligned(largest) + SPARE_BYTES)
        self.memory = os.memfd_create("tandem-log")
        os.ftruncate(self.memory, ALIGN + self._room)
        self._memory = mmap.mmap(self.memory, ALIGN + self._room)
        self._counts = counts_in(self._memory)
        self.bell, self._ring = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._deserted = select.poll()  # tells when nobody can read from the pipe any more
        self._deserted.register(self._ring, 0)
        self._lock = threading.Lock()
        self._waiting: deque[tuple[int, int]] = deque()  # where each entry begins, and `_added` behind it
        self._added = self._next = 0  # bytes ever put; where the next entry goes if it fits there

    @property
    def failed(self) -> bool:
        """The writer has given up."""
        return bool(self._counts[FAILED])

    def put(self, head: bytes, body: bytes | memoryview = b"", *, wait: bool, reserve: int = 0) -> bool:
        """Append a copy of an entry; False when it does not fit and `wait` is False.

        Args:
            head: its first part.
            body: its second part.
            wait: block until there is room.
            reserve: bytes beyond the capacity that this kind of entry may use.

        Raises `BrokenPipeError` when the writer is gone.
        """
        while True:
            with self._lock:
                if self._append(head, body, reserve):
                    return True
            if not wait:
                return False
            self._await_progress()

    def _append(self, head: bytes, body: bytes | memoryview, reserve: int) -> bool:
        start = aligned(len(head))
        size = start + aligned(len(body))
        place = self._place(size, reserve)
        if place is None:
            return False
        at = ALIGN + place
        self._memory[at : at + len(head)] = head
        self._memory[at + start : at + start + len(body)] = body
        try:
            os.write(self._ring, RECORD.pack(at, len(head), start + len(body)))
        except BlockingIOError:  # the pipe holds thousands of entries; nothing is announced, so nothing was put
            return False
        self._added, self._next = self._added + size, place + size
        self._waiting.append((place, self._added))
        return True

    def _place(self, size: int, reserve: int) -> int | None:
        """Where an entry may go: from the beginning again whenever nothing waits, so that few pages are ever used."""
        written, waiting = self._counts[WRITTEN], self._waiting
        while waiting and waiting[0][1] <= written:
            waiting.popleft()
        if not waiting:
            return 0 if size <= self._room else None
        if self._added - written + size > self._capacity + reserve:
            return None
        oldest = waiting[0][0]
        if self._next > oldest:
            if self._next + size <= self._room:
                return self._next
            return 0 if size < oldest else None
        return self._next if self._next + size < oldest else None

    def _await_progress(self) -> None:
        before, deadline = self._counts[WRITTEN], time.monotonic() + self._stall_s
        while self._counts[WRITTEN] == before:
            if self.failed or self._deserted.poll(0):
                raise BrokenPipeError("the writer is gone")
            if time.monotonic() > deadline:
                raise LogUnwritable(f"the disk has taken nothing for {self._stall_s:.0f} s; use another one")
            time.sleep(0.0005)

    def share(self) -> None:
        """The writer has what it needs: close this side's copies of it."""
        os.close(self.memory)
        os.close(self.bell)

    def close(self) -> None:
        """Nothing more will be put."""
        os.close(self._ring)
