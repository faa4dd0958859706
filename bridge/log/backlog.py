"""What waits to be written: bounded, cheap to fill, and honest about what did not fit.

The control thread only appends; the writer wakes on its own every few milliseconds. A condition variable would wake
the writer at every step, and the control thread would pay for the switch.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Any

from tandem.bridge.contract.errors import LogUnwritable

POLL_S = 0.02
STALL_S = 30.0


class Backlog:
    """A queue between one writer and any number of threads that fill it.

    Args:
        capacity: bytes that may wait; one larger entry is let in when nothing else waits.
        stall_s: how long a full backlog may make no progress before `put` raises `LogUnwritable`.
    """

    def __init__(self, capacity: int, *, stall_s: float = STALL_S):
        self._capacity, self._stall_s = capacity, stall_s
        self._entries: deque[tuple[Any, int]] = deque()
        self._added = self._written = 0  # bytes; each is counted up by one side only
        self._lock, self._wake, self._closed = threading.Lock(), threading.Event(), False

    def put(self, entry: Any, size: int, *, wait: bool, reserve: int = 0) -> bool:
        """Append an entry of `size` bytes; False when it does not fit and `wait` is False.

        Args:
            entry: anything; it must not change any more.
            size: bytes that it keeps alive.
            wait: block until there is room.
            reserve: bytes beyond the capacity that this kind of entry may use.
        """
        while True:
            with self._lock:
                waiting = self._added - self._written
                if not waiting or waiting + size <= self._capacity + reserve:
                    self._entries.append((entry, size))
                    self._added += size
                    return True
            if not wait:
                return False
            self._await_progress()

    def _await_progress(self) -> None:
        before, deadline = self._written, time.monotonic() + self._stall_s
        self._wake.set()
        while self._written == before:
            if time.monotonic() > deadline:
                raise LogUnwritable(f"the disk has taken nothing for {self._stall_s:.0f} s; use another one")
            time.sleep(0.0005)

    def drain(self) -> Iterator[Any | None]:
        """For the writer: entries as they come, None whenever nothing waits, until closed and empty."""
        while True:
            closed = self._closed
            while self._entries:
                entry, size = self._entries.popleft()
                yield entry
                self._written += size
            if closed:
                return
            yield None
            self._wake.wait(POLL_S)
            self._wake.clear()

    def close(self) -> None:
        """Nothing more will be put; `drain` ends once everything is taken."""
        self._closed = True
        self._wake.set()
