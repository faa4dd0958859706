"""Streams of messages: the next differs from the last in a few numbers at known places, and is read and written so.

A form is learnt from a message: which of its bytes are the same in every message like it, and where its whole numbers
and reals stand. One call of `struct` then reads or writes the next. What a form reads or writes is, bit for bit, what
field by field would have come of it; whatever does not fit goes field by field, and is refused there if it must be.
An agent would otherwise be behind its messages for longer than they are on their way (`python launch/benchmark.py
bridge`). A picture's header varies in two numbers only, and is read faster still by `headers`.
"""

from __future__ import annotations

import struct
from collections.abc import Hashable
from itertools import accumulate, pairwise
from operator import itemgetter, le
from typing import Any

import msgpack
import numpy as np

from tandem.bridge.wire.fields import REAL, REALS, WHOLE
from tandem.bridge.wire.kinds import ENVELOPE, KINDS
from tandem.bridge.wire.message import Message

STREAMED = frozenset({"chunk", "accepted", "state"})
_KEYS, _FORMS = 64, 4  # kept: of each key some, as a mode changes and a number that grows takes more bytes
_MAX_SAME = 4096  # bytes
_WIDTHS = {1: ("b", 0), 2: ("B", 2**7), 3: ("H", 2**8), 5: ("I", 2**16), 9: ("q", 2**32)}  # msgpack: bytes of a whole
# number to its type and the least that takes so many; the largest is the type's own, 2^7 - 1 and 2^63 - 1 with a sign
_TOP = 7  # the byte of a real with its sign and most of its exponent: 0x7F or 0xFF unless it is finite, or beyond 1e303
_VARIED_HEAD = ("epoch", "lease", "seq", "t")


class Form:
    """What is the same in every message of a form, and where the rest stands.

    Args:
        message: of a kind without maps.
        plain: its envelope and fields, as msgpack writes them.

    Attributes:
        size: bytes that are the same.
    """

    def __init__(self, message: Message, plain: dict[str, Any]):
        layout = KINDS[message.kind]
        self._kind, self._session = message.kind, message.session
        self._varied = [(name, field.pack) for name, field in layout.items() if field in (WHOLE, REALS)]
        self._fixed = {name: message[name] for name in layout if name not in dict(self._varied)}
        reals = [name for name, field in layout.items() if field is REALS]
        self._names = [*(name for name, field in layout.items() if field is WHOLE), *reals]
        parts, codes, least = [msgpack.Packer().pack_map_header(len(plain))], [], {}
        for name, field in (ENVELOPE | layout).items():
            value = msgpack.packb(plain[name])
            parts[-1] += msgpack.packb(name)
            if name in _VARIED_HEAD or (field is WHOLE and name not in ENVELOPE):
                code, least[len(parts)] = _WIDTHS[len(value)]
                size = struct.calcsize(code)
            elif field is REALS:
                size = len(plain[name])
                code = f"{size}s"
            else:
                parts[-1] += value
                continue
            parts[-1] += value[:len(value) - size]
            codes += [f"{len(parts[-1])}s", code]
            parts += [None, b""]
        self._parts, self._same = parts, tuple(parts[::2])
        self._layout = struct.Struct(f">{''.join(codes)}{len(parts[-1])}s")
        self._wholes_in, self._least = itemgetter(*least), tuple(least.values())
        self._reals_at = [at for at in range(1, len(parts), 2) if at not in least]
        self._sizes = [len(plain[name]) for name in reals]
        ends = accumulate((size // REAL.itemsize for size in self._sizes), initial=0)
        self._slices = [slice(*pair) for pair in pairwise(ends)]
        self.size = sum(map(len, self._same))

    def read(self, frame: bytes | memoryview) -> Message | None:
        """The message in a frame as long as this form's; None if it is of another, or its numbers are none."""
        parts = self._layout.unpack(frame)
        if parts[::2] != self._same:
            return None
        wholes = self._wholes_in(parts)
        if not all(map(le, self._least, wholes)):
            return None
        reals = b"".join([parts[at] for at in self._reals_at])
        tops = reals[_TOP::REAL.itemsize]
        if b"\x7f" in tops or b"\xff" in tops:
            return None
        numbers = np.frombuffer(reals, REAL)
        fields = self._fixed.copy()
        varied = [*wholes[len(_VARIED_HEAD):], *[numbers[part] for part in self._slices]]
        fields.update(zip(self._names, varied, strict=False))
        return Message(self._kind, fields, self._session, *wholes[:len(_VARIED_HEAD)])

    def write(self, message: Message) -> bytes | None:
        """The bytes of a message of this form's kind; None if it is of another form."""
        fields = message.fields
        if message.session != self._session or not self._fixed.items() <= fields.items():
            return None
        parts = self._parts.copy()
        parts[1::2] = [message.epoch, message.lease, message.seq, message.t,
                       *[pack(fields[name]) for name, pack in self._varied]]
        alike = [len(parts[at]) for at in self._reals_at] == self._sizes
        if not alike or not all(map(le, self._least, self._wholes_in(parts))):
            return None
        try:
            return self._layout.pack(*parts)
        except struct.error:  # a number that takes more bytes
            return None


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
            message: of a kind without maps.
            plain: its envelope and fields, as msgpack writes them.
            frame: its bytes.
        """
        form = Form(message, plain)
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
