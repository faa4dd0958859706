"""The newest value of something, in memory that processes share: one of them writes, others read, nobody ever waits.

Two slots take turns, so a reader is disturbed only by a writer that comes by twice while it copies. The number and the
checksum of a slot betray a copy that is not whole, in whatever order a processor lets its writes be seen; and a writer
that dies halfway leaves the other slot as it was.
"""

from __future__ import annotations

import struct
import zlib

from tandem.bridge.contract import InvalidOption

_HEAD = struct.Struct("=QII")  # number, bytes, checksum
_COUNT_BYTES = ALIGN = 64
_TRIES = 8


class Latest:
    """One such value, in bytes; see the module.

    Args:
        memory: the shared memory.
        at: where in it this value begins; a multiple of `ALIGN`.
        capacity: bytes that a value may have.

    Attributes:
        number: of the value that was read or written last; 0 for none. Counts up by one.
        value: it; empty for none.
    """

    def __init__(self, memory: memoryview, at: int, capacity: int):
        self._memory, self._capacity = memory, capacity
        self._count = memory[at : at + 8].cast("Q")
        slot = at + _COUNT_BYTES
        self._slots = (slot, slot + _slot_bytes(capacity))
        self.number, self.value = 0, b""

    @staticmethod
    def room(capacity: int) -> int:
        """Bytes of shared memory that a value of so many bytes takes."""
        return _COUNT_BYTES + 2 * _slot_bytes(capacity)

    def put(self, value: bytes) -> None:
        """Replace the value. Raises `InvalidOption` when it does not fit."""
        size = len(value)
        if size > self._capacity:
            raise InvalidOption(f"a value of {size} bytes was to be shared, {self._capacity} fit: make the room larger")
        self.number += 1
        head = self._slots[self.number & 1]
        body = head + _HEAD.size
        self._memory[body : body + size] = value
        _HEAD.pack_into(self._memory, head, self.number, size, _checksum(value, self.number))
        self._count[0], self.value = self.number, value

    def get(self) -> bytes:
        """The newest value that can be had without waiting; the one of before when there is none newer."""
        for _ in range(_TRIES):
            newest = self._count[0]
            if newest == self.number:
                break
            head = self._slots[newest & 1]
            number, size, checksum = _HEAD.unpack_from(self._memory, head)
            body = head + _HEAD.size
            value = bytes(self._memory[body : body + min(size, self._capacity)])
            if number == newest and checksum == _checksum(value, number):
                self.number, self.value = number, value
                break
        return self.value


def _slot_bytes(capacity: int) -> int:
    return -(-(_HEAD.size + capacity) // ALIGN) * ALIGN


def _checksum(value: bytes, number: int) -> int:
    return zlib.crc32(value, number & 0xFFFFFFFF)
