"""Where messages begin and end in a stream of ZMTP 3.x bytes (https://rfc.zeromq.org/spec/23 and /37).

A greeting of 64 bytes, then frames: an octet of flags, a length of 1 or 8 bytes, the body. Bodies are not looked into,
but for the names of commands, which tell where the handshake ends. A unit is cut off when it is whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from tandem.bridge.contract.errors import TandemError

GREETING = 64  # bytes
_SIGNATURE_FIRST, _SIGNATURE_LAST, _MAJOR = 0, 9, 10  # offsets in the greeting
MORE, LONG, COMMAND = 1, 2, 4  # flags
_LAST_OF_HANDSHAKE = (b"\x05READY", b"\x08INITIATE")  # in each direction, of the mechanisms NULL, PLAIN and CURVE


class NotZmtp(TandemError):
    """A stream is no ZMTP 3.x, or holds a message that is too large to be kept."""


class Kind(Enum):
    """What a unit is."""

    HANDSHAKE = auto()  # part of the greeting, or a command of the handshake
    COMMAND = auto()  # after the handshake: a subscription, a heartbeat
    MESSAGE = auto()  # all its frames


@dataclass(frozen=True, slots=True)
class Unit:
    """Bytes that are passed on together or not at all."""

    kind: Kind
    data: bytes


class Framing:
    """Cuts one direction of a connection into units.

    Args:
        max_message: bytes of the largest message that is taken.
    """

    def __init__(self, max_message: int):
        self._max_message = max_message
        self._rest = bytearray()  # begins with a unit that is not whole yet
        self._whole = 0  # bytes of it that are whole frames
        self._greeted = 0  # bytes of the greeting that have passed
        self._shaken = False  # the handshake is over in this direction

    @property
    def rest(self) -> int:
        """Bytes kept because their unit is not whole yet."""
        return len(self._rest)

    def cut(self, data: bytes) -> list[Unit]:
        """The units that are whole with these bytes. Raises `NotZmtp`."""
        self._rest += data
        units = self._greeting() if self._greeted < GREETING else []
        if self._greeted == GREETING:
            while (unit := self._next()) is not None:
                units.append(unit)
        return units

    def _greeting(self) -> list[Unit]:
        # Passed on as it comes: each side waits for the other's first bytes before it says the rest.
        piece = bytes(self._rest[:GREETING - self._greeted])
        for offset, octet in enumerate(piece, self._greeted):
            if ((offset == _SIGNATURE_FIRST and octet != 0xFF) or (offset == _SIGNATURE_LAST and octet != 0x7F)
                    or (offset == _MAJOR and octet < 3)):
                raise NotZmtp(f"octet {offset} of the greeting is {octet}: no ZMTP 3.x; put ZeroMQ 4 at both ends")
        del self._rest[:len(piece)]
        self._greeted += len(piece)
        return [Unit(Kind.HANDSHAKE, piece)] if piece else []

    def _next(self) -> Unit | None:
        while (end := self._end_of_frame(self._whole)) is not None:
            begin, flags = self._whole, self._rest[self._whole]
            self._whole = end
            if flags & COMMAND:
                if begin == 0:
                    return Unit(self._kind_of_command(end), self._take())
            elif not flags & MORE:
                if not self._shaken:
                    raise NotZmtp("a message before the end of the handshake")
                return Unit(Kind.MESSAGE, self._take())
        return None

    def _end_of_frame(self, begin: int) -> int | None:
        """Offset behind the frame that begins there; None when it is not whole."""
        rest = self._rest
        if len(rest) == begin:
            return None
        flags = rest[begin]
        if flags & ~(MORE | LONG | COMMAND):
            raise NotZmtp(f"a frame has the flags {flags:#x}: the stream is out of step, or no ZMTP 3.x")
        head = 9 if flags & LONG else 2
        if len(rest) < begin + head:
            return None
        end = begin + head + int.from_bytes(rest[begin + 1:begin + head], "big")
        if end > self._max_message:
            raise NotZmtp(f"a message of {end} bytes or more, at most {self._max_message} are kept; raise max_waiting")
        return end if len(rest) >= end else None

    def _kind_of_command(self, end: int) -> Kind:
        if self._shaken:
            return Kind.COMMAND
        body = bytes(self._rest[9 if self._rest[0] & LONG else 2:end])
        self._shaken = body.startswith(_LAST_OF_HANDSHAKE)
        return Kind.HANDSHAKE

    def _take(self) -> bytes:
        unit = bytes(self._rest[:self._whole])
        del self._rest[:self._whole]
        self._whole = 0
        return unit
