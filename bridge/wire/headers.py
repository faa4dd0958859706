"""Headers of a camera's pictures: only number and time differ from the last one's, and so they are read and written.

A header that was decoded tells with which bytes the next one of its camera begins and ends. One that has a number and a
time between them passes; any other is decoded like every message. With three cameras an agent would otherwise be
behind its pictures for longer than they are on their way (`python launch/benchmark.py bridge`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tandem.bridge.wire.codec import MAX_REPLY, decode, encode
from tandem.bridge.wire.message import Message

_SHORT_T = 2**32  # a time below it, 4 s after the start of the clock, has fewer bytes
_T, _T_SIZE = b"\xa1t\xcf", 8  # msgpack: the name of the time, and that it has eight bytes
_NUMBERS = ((0xCC, 1), (0xCD, 2), (0xCE, 4), (0xCF, 8))  # a larger number than 127: its first byte, bytes after it
_NUMBER_SIZES = {first: size + 1 for first, size in _NUMBERS[:3]}  # by the first byte; one below 0x80 is the number
_BY_BITS = [(b"", 1)] * 8 + [next((bytes((first,)), size) for first, size in _NUMBERS if bits <= 8 * size)
                             for bits in range(8, 65)]
_SOME_T = 0x2D5A_13C7_9E64_B18F  # whose bytes stand nowhere else


@dataclass(frozen=True)
class HeaderForm:
    """What is the same in every header of a camera: the bytes before the number, those after the time, the fields."""

    begin: bytes
    end: bytes
    message: Message

    @classmethod
    def of(cls, message: Message) -> HeaderForm:
        """The form of a header; of its number and time nothing is kept."""
        varied = b"\0" + _T + _SOME_T.to_bytes(_T_SIZE, "big")
        begin, _, end = encode(replace(message, seq=0, t=_SOME_T)).partition(varied)
        return cls(begin, end, message)

    def write(self, seq: int, t: int) -> bytes:
        """The header with this number and this time (ns)."""
        if t < _SHORT_T:
            return encode(replace(self.message, seq=seq, t=t))
        return b"".join((self.begin, _packed(seq), _T, t.to_bytes(_T_SIZE, "big"), self.end))

    def time_in(self, header: bytes) -> int | None:
        """When the picture was taken, ns; None for a header of another form."""
        stop = len(header) - len(self.end)
        start = stop - _T_SIZE
        number = header[len(self.begin):start - len(_T)]
        alike = number and header.startswith(self.begin) and header.endswith(_T, 0, start) and header.endswith(self.end)
        if not alike or len(number) != _NUMBER_SIZES.get(number[0], number[0] < 0x80) or header[start] >= 0x80:
            return None
        return int.from_bytes(header[start:stop], "big")


def _packed(number: int) -> bytes:
    first, size = _BY_BITS[number.bit_length()]
    return first + number.to_bytes(size, "big")


class Headers:
    """Reads the headers of one media socket."""

    def __init__(self) -> None:
        self._forms: dict[bytes, HeaderForm] = {}

    def read(self, topic: bytes, header: bytes) -> tuple[Message, int]:
        """A header's fields and when its picture was taken, ns; the message's own seq and t may be an earlier one's.

        Raises:
            Refused: as `decode`.
        """
        form = self._forms.get(topic)
        taken = form.time_in(header) if form else None
        if taken is not None:
            return form.message, taken
        message = decode(header, limit=MAX_REPLY)
        if message.kind == "frame" and encode(message) == header:
            self._forms[topic] = HeaderForm.of(message)
        return message, message.t
