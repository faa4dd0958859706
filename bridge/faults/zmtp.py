"""Cuts a ZMTP 3 stream into whole messages, without understanding them (rfc.zeromq.org/spec/23).

A greeting of 64 bytes, then frames: a flags octet (1 more, 2 long, 4 command), a size of one or eight bytes, a body.
The handshake's commands pass as they are; a message is its frames up to the first without "more", or, under CURVE, one
MESSAGE command.
"""

from __future__ import annotations

from dataclasses import dataclass

from tandem.bridge.contract.errors import TandemError

GREETING = 64
MORE, LONG, COMMAND = 1, 2, 4
MAX_FRAME = 64 * 2**20
_MESSAGE = b"\x07MESSAGE"  # a CURVE command that carries a message's frame


class NotZmtp(TandemError):
    """What passes is no ZMTP 3: the proxy stands before something else."""


@dataclass(frozen=True)
class Unit:
    """Bytes that belong together.

    Attributes:
        data: as they came.
        message: whether it is one, rather than part of the handshake or a command.
    """

    data: bytes
    message: bool


class Framer:
    """One direction of one connection."""

    def __init__(self):
        self._buffer, self._greeting, self._parts = bytearray(), GREETING, bytearray()

    def feed(self, data: bytes) -> list[Unit]:
        """What is complete by now, in order. Raises `NotZmtp`."""
        self._buffer += data
        units = []
        while (unit := self._next()) is not None:
            units.append(unit)
        return units

    def _next(self) -> Unit | None:
        if self._greeting:
            if not self._buffer:
                return None
            if self._greeting == GREETING and self._buffer[0] != 0xFF:
                raise NotZmtp(f"a connection that begins with {bytes(self._buffer[:10])!r} is no ZMTP")
            part = self._take(min(self._greeting, len(self._buffer)))  # either side waits for the other's first part
            self._greeting -= len(part)
            return Unit(part, False)
        while (frame := self._frame()) is not None:
            flags, data, body = frame
            if flags & COMMAND and not body.startswith(_MESSAGE):
                return Unit(data, False)
            self._parts += data
            if flags & COMMAND or not flags & MORE:
                whole, self._parts = bytes(self._parts), bytearray()
                return Unit(whole, True)
        return None

    def _frame(self) -> tuple[int, bytes, bytes] | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        flags, head = buffer[0], 9 if buffer[0] & LONG else 2
        if len(buffer) < head:
            return None
        size = int.from_bytes(buffer[1:head], "big")
        if flags & ~7 or size > MAX_FRAME:
            raise NotZmtp(f"a frame with flags {flags} and {size} bytes is no ZMTP 3")
        if len(buffer) < head + size:
            return None
        data = self._take(head + size)
        return flags, data, data[head:head + 16]

    def _take(self, size: int) -> bytes:
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data
