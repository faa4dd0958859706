"""Random access: when each message of a channel was and where it lies. Sixteen bytes a message, whatever is in it."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right

_OFFSET_BITS = 32


class Places:
    """The messages of one channel, in the order of their times.

    Attributes:
        times_ns: of each, ascending.
    """

    def __init__(self):
        self.times_ns, self._where, self._sorted = array("q"), array("Q"), True

    def __len__(self) -> int:
        return len(self.times_ns)

    def add(self, time_ns: int, chunk: int, offset: int) -> None:
        """Note a message: number of its chunk in the file, offset of its content in the unpacked chunk."""
        if self.times_ns and time_ns < self.times_ns[-1]:
            self._sorted = False
        self.times_ns.append(time_ns)
        self._where.append(chunk << _OFFSET_BITS | offset)

    def settle(self) -> None:
        """Put them in the order of their times, once all are there."""
        if not self._sorted:
            order = sorted(range(len(self)), key=self.times_ns.__getitem__)
            self.times_ns = array("q", (self.times_ns[i] for i in order))
            self._where = array("Q", (self._where[i] for i in order))
            self._sorted = True

    def place(self, number: int) -> tuple[int, int]:
        """Number of the chunk, and offset in it, of a message."""
        where = self._where[number]
        return where >> _OFFSET_BITS, where & (1 << _OFFSET_BITS) - 1

    def latest(self, time_ns: int) -> int | None:
        """Number of the last message at that time or before, None when there is none."""
        found = bisect_right(self.times_ns, time_ns) - 1
        return found if found >= 0 else None

    def between(self, start_ns: int, end_ns: int) -> range:
        """Numbers of the messages from one time to another, both included."""
        return range(bisect_left(self.times_ns, start_ns), bisect_right(self.times_ns, end_ns))
