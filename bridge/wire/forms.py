"""Streams of messages: the next differs from the last in a few numbers at known places, and is read and written so.

A form is learnt from a message: which of its bytes are the same in every message like it, and where its whole numbers
and reals stand. One call of `struct` then reads or writes the next. What a form reads or writes is, bit for bit, what
field by field would have come of it; whatever does not fit goes field by field, and is refused there if it must be.
An agent would otherwise be behind its messages for longer than they are on their way (`python launch/benchmark.py
bridge`). A picture's header varies in two numbers only, and is read faster still by `headers`.
"""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections.abc import Hashable
from itertools import accumulate
from operator import le
from typing import Any

import msgpack
import numpy as np

from tandem.bridge.wire.fields import REAL, REALS, WHOLE
from tandem.bridge.wire.kinds import ENVELOPE, KINDS
from tandem.bridge.wire.message import Message

_KEYS, _FORMS = 64, 4  # kept: of each key some, as a mode changes and a number that grows takes more bytes
_MAX_SAME = 4096  # bytes
_WIDTHS = {1: ("b", 0), 2: ("B", 2**7), 3: ("H", 2**8), 5: ("I", 2**16), 9: ("q", 2**32)}  # msgpack: bytes of a whole
# number to its type and the least that takes so many; the largest is the type's own, 2^7 - 1 and 2^63 - 1 with a sign
_HEAD = ("epoch", "lease", "seq", "t")  # what varies of the envelope


class Form(ABC):
    """What is the same in every message of a form, and where the rest stands. `FORMS` has a class for each kind.

    Args:
        message: of the kind.
        plain: its envelope and fields, as msgpack writes them.

    Attributes:
        size: bytes that are the same.
    """

    __slots__ = ("_ends", "_fixed", "_least", "_lengths", "_pack", "_parts", "_same", "_session", "_unpack", "size")

    def __init__(self, message: Message, plain: dict[str, Any]):
        layout = ENVELOPE | KINDS[message.kind]
        reals = [name for name, field in layout.items() if field is REALS]
        wholes = [*_HEAD, *(name for name, field in KINDS[message.kind].items() if field is WHOLE)]
        same, codes, least = [msgpack.Packer().pack_map_header(len(plain))], [], []
        for name in layout:
            value, size = msgpack.packb(plain[name]), 0
            if name in wholes:
                code, smallest = _WIDTHS[len(value)]
                size = struct.calcsize(code)
                least.append(smallest)
            elif name in reals:
                size = len(plain[name])
                code = f"{size}s"
            same[-1] += msgpack.packb(name) + value[:len(value) - size]
            if name in wholes or name in reals:
                codes += [f"{len(same[-1])}s", code]
                same.append(b"")
        form = struct.Struct(f">{''.join(codes)}{len(same[-1])}s")
        self._unpack, self._pack, self._same, self._least = form.unpack, form.pack, tuple(same), tuple(least)
        self._parts: list[Any] = [part for one in same for part in (one, None)][:-1]
        self._session = message.session
        self._fixed = tuple(message[name] for name in KINDS[message.kind] if name not in wholes and name not in reals)
        self._lengths = tuple(len(plain[name]) for name in reals)
        self._ends = tuple(accumulate(length // REAL.itemsize for length in self._lengths))
        self.size = sum(map(len, same))

    @abstractmethod
    def read(self, frame: bytes | memoryview) -> Message | None:
        """The message in a frame as long as this form's; None if it is of another, or its numbers are none."""

    @abstractmethod
    def write(self, message: Message) -> bytes | None:
        """The bytes of a message of this form's kind; None if it is of another form."""

    def _join(self, *varied: Any) -> bytes | None:
        parts = self._parts.copy()
        parts[1::2] = varied
        try:
            return self._pack(*parts)
        except struct.error:  # a number that takes more bytes
            return None


def _odd(reals: bytes) -> bool:
    """Whether a real may be none: its byte with the sign and most of the exponent says not finite, or beyond 1e303."""
    tops = reals[7::8]
    return b"\x7f" in tops or b"\xff" in tops


# What varies stands in the order of `KINDS`, spelt out: loops over the fields would take half of the time again.


class ChunkForm(Form):
    """Of chunks."""

    __slots__ = ()

    def read(self, frame: bytes | memoryview) -> Message | None:
        """See `Form`."""
        parts = self._unpack(frame)
        if parts[::2] != self._same:
            return None
        epoch, lease, seq, t, t0, dt, ttl, q = parts[1::2]
        if min(epoch, lease, seq, t, t0, dt, ttl) < 0 or _odd(q):
            return None
        fields = {"t0": t0, "dt": dt, "ttl": ttl, "names": self._fixed[0], "q": np.frombuffer(q, REAL)}
        return Message("chunk", fields, self._session, epoch, lease, seq, t)

    def write(self, message: Message) -> bytes | None:
        """See `Form`."""
        fields = message.fields
        if message.session != self._session or (fields["names"],) != self._fixed:
            return None
        wholes = (message.epoch, message.lease, message.seq, message.t, fields["t0"], fields["dt"], fields["ttl"])
        q = np.asarray(fields["q"], REAL).tobytes()
        if (len(q),) != self._lengths or not all(map(le, self._least, wholes)):
            return None
        return self._join(*wholes, q)


class StateForm(Form):
    """Of states."""

    __slots__ = ()

    def read(self, frame: bytes | memoryview) -> Message | None:
        """See `Form`."""
        parts = self._unpack(frame)
        if parts[::2] != self._same:
            return None
        (epoch, lease, seq, t, fault, measured, position, velocity, opening, tool, setpoint, chunk, index, inputs,
         generation, late, worst) = parts[1::2]
        reals = b"".join((position, velocity, opening, tool, setpoint))
        least = min(epoch, lease, seq, t, fault, measured, chunk, index, inputs, generation, late, worst)
        if least < 0 or _odd(reals):
            return None
        numbers, (a, b, c, d, _) = np.frombuffer(reals, REAL), self._ends
        fields = {
            "mode": self._fixed[0], "fault": fault, "measured": measured, "position": numbers[:a],
            "velocity": numbers[a:b], "opening": numbers[b:c], "tool": numbers[c:d], "setpoint": numbers[d:],
            "chunk": chunk, "index": index, "inputs": inputs, "generation": generation, "late": late, "worst": worst,
        }
        return Message("state", fields, self._session, epoch, lease, seq, t)

    def write(self, message: Message) -> bytes | None:
        """See `Form`."""
        fields = message.fields
        if message.session != self._session or (fields["mode"],) != self._fixed:
            return None
        head = message.epoch, message.lease, message.seq, message.t, fields["fault"], fields["measured"]
        reals = [
            np.asarray(reals, REAL).tobytes() for reals in
            (fields["position"], fields["velocity"], fields["opening"], fields["tool"], fields["setpoint"])
        ]
        tail = (fields["chunk"], fields["index"], fields["inputs"], fields["generation"], fields["late"],
                fields["worst"])
        if tuple(map(len, reals)) != self._lengths or not all(map(le, self._least, head + tail)):
            return None
        return self._join(*head, *reals, *tail)


FORMS: dict[str, type[Form]] = {"chunk": ChunkForm, "state": StateForm}
STREAMED = frozenset(FORMS)


class Forms:
    """The forms that were met last, to try one after another: read by their length, written by their kind."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, tuple[Form, ...]] = {}

    def read(self, frame: bytes | memoryview) -> Message | None:
        """The message in a frame, None if no form fits."""
        key = len(frame)
        for form in self._kept.get(key, ()):
            message = form.read(frame)
            if message is not None:
                self._put_first(key, form)
                return message
        return None

    def write(self, message: Message) -> bytes | None:
        """The bytes of a message, None if it fits no form."""
        key = message.kind
        for form in self._kept.get(key, ()):
            frame = form.write(message)
            if frame is not None:
                self._put_first(key, form)
                return frame
        return None

    def learn(self, key: Hashable, message: Message, plain: dict[str, Any], frame: bytes | memoryview) -> None:
        """Keep the form of one more message; bytes that are not the usual ones have none.

        Args:
            key: length of its frame, to read the next; its kind, to write it.
            message: of a kind in `STREAMED`.
            plain: its envelope and fields, as msgpack writes them.
            frame: its bytes.
        """
        form = FORMS[message.kind](message, plain)
        if form.size <= _MAX_SAME and form.write(message) == frame:
            if len(self._kept) >= _KEYS:
                self._kept.clear()
            self._put_first(key, form)

    def _put_first(self, key: Hashable, form: Form) -> None:
        forms = self._kept.get(key, ())
        if not forms or form is not forms[0]:
            self._kept[key] = (form, *[other for other in forms if other is not form])[:_FORMS]

    def __len__(self) -> int:
        return sum(map(len, self._kept.values()))
