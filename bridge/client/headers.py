"""Headers of a camera's pictures: the next differs from the last in its number and its time alone, and is read so.

A header that was decoded tells with which bytes the next one of its camera begins and ends. One that has a number and a
time between them passes; any other is decoded like every message. With three cameras an agent would otherwise be
behind its pictures for longer than they are on their way (`python launch/benchmark.py bridge`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tandem.bridge.wire.codec import MAX_REPLY, decode, encode
from tandem.bridge.wire.message import Message

_T, _T_SIZE = b"\xa1t\xcf", 8  # msgpack: the name of the time, and that it has eight bytes
_NUMBER_SIZES = {0xCC: 2, 0xCD: 3, 0xCE: 5}  # by the first byte; one byte below 0x80 is the number itself
_SOME_T = 0x2D5A_13C7_9E64_B18F  # whose bytes stand nowhere else


@dataclass(frozen=True)
class _Form:
    """What is the same in every header of a camera: the bytes before the number, those after the time, the fields."""

    begin: bytes
    end: bytes
    message: Message

    @classmethod
    def of(cls, message: Message) -> _Form:
        varied = b"\0" + _T + _SOME_T.to_bytes(_T_SIZE, "big")
        begin, _, end = encode(replace(message, seq=0, t=_SOME_T)).partition(varied)
        return cls(begin, end, message)

    def time_in(self, header: bytes) -> int | None:
        """When the picture was taken, ns; None for a header of another form."""
        stop = len(header) - len(self.end)
        start = stop - _T_SIZE
        number = header[len(self.begin):start - len(_T)]
        alike = number and header.startswith(self.begin) and header.endswith(_T, 0, start) and header.endswith(self.end)
        if not alike or len(number) != _NUMBER_SIZES.get(number[0], number[0] < 0x80) or header[start] >= 0x80:
            return None
        return int.from_bytes(header[start:stop], "big")


class Headers:
    """Reads the headers of one media socket."""

    def __init__(self) -> None:
        self._forms: dict[bytes, _Form] = {}

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
            self._forms[topic] = _Form.of(message)
        return message, message.t
