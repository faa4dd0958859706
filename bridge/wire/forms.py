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
from itertools import accumulate
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
_HEAD = ("epoch", "lease", "seq", "t")  # what varies of the envelope


class Form:
    """What is the same in every message of a form, and where the rest stands. `FORMS` has a class for each kind.

    Args:
        message: of the kind.
        plain: its envelope and fields, as msgpack writes them.

    Attributes:
        size: bytes that are the same.
    """

    __slots__ = ("_ends", "_fixed", "_least", "_lengths", "_pack", "_same", "_session", "_unpack", "size")

    def __init__(self, message: Message, plain: dict[str, Any]):
        wholes, reals, fixed = _sorted(message.kind)
        same, codes, least = [msgpack.Packer().pack_map_header(len(plain))], [], []
        for name in ENVELOPE | KINDS[message.kind]:
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
        layout = struct.Struct(f">{''.join(codes)}{len(same[-1])}s")
        self._unpack, self._pack, self._same, self._least = layout.unpack, layout.pack, tuple(same), tuple(least)
        self._session, self._fixed = message.session, tuple(message[name] for name in fixed)
        self._lengths = tuple(len(plain[name]) for name in reals)
        self._ends = tuple(accumulate(length // REAL.itemsize for length in self._lengths))
        self.size = sum(map(len, same))

    def read(self, frame: bytes | memoryview) -> Message | None:
        """The message in a frame as long as this form's; None if it is of another, or its numbers are none."""
        raise NotImplementedError

    def write(self, message: Message) -> bytes | None:
        """The bytes of a message of this form's kind; None if it is of another form."""
        raise NotImplementedError


def _sorted(kind: str) -> tuple[list[str], list[str], list[str]]:
    """What varies in messages of a kind, in the order in which it is written, wholes and reals; and what does not."""
    layout = KINDS[kind]
    wholes = [*_HEAD, *(name for name, field in layout.items() if field is WHOLE)]
    reals = [name for name, field in layout.items() if field is REALS]
    return wholes, reals, [name for name in layout if name not in wholes and name not in reals]


_READ = """
def read(self, frame):
    parts = self._unpack(frame)
    if parts[::2] != self._same:
        return None
    {varied}, = parts[1::2]
    if {negative}:
        return None
    reals = {joined}
    tops = reals[7::8]  # of each real the byte with its sign and most of its exponent
    if b"\\x7f" in tops or b"\\xff" in tops:  # not finite, or beyond 1e303
        return None
    numbers = frombuffer(reals, REAL)
    {ends} = self._ends
    {fixed} = self._fixed
    return Message({kind!r}, {{{fields}}}, self._session, epoch, lease, seq, t)
"""
_WRITE = """
def write(self, message):
    fields = message.fields
    if message.session != self._session or {given} != self._fixed:
        return None
    epoch, lease, seq, t = message.epoch, message.lease, message.seq, message.t
    {taken}
    if {lengths} != self._lengths:
        return None
    {leasts} = self._least
    if {smaller}:
        return None
    {sames} = self._same
    try:
        return self._pack({parts})
    except StructError:  # a number that takes more bytes
        return None
"""


def _form_of(kind: str) -> type[Form]:
    """The forms of a kind. How they read and write is spelt out from the table: loops over its fields take longer.

    Nothing of a message gets into the text, only the names of the kind's fields.
    """
    wholes, reals, fixed = _sorted(kind)
    varied = [*_HEAD, *(name for name in KINDS[kind] if name not in fixed)]
    begins = ["", *(f"end_{name}" for name in reals)]
    arrays = {name: f"numbers[{begins[i]}:{begins[i + 1]}]" for i, name in enumerate(reals)}
    taken = {name: f"asarray(fields[{name!r}], REAL).tobytes()" if name in reals else f"fields[{name!r}]"
             for name in varied[len(_HEAD):]}

    def listed(words: list[str]) -> str:
        return f"({''.join(f'{word}, ' for word in words)})"

    text = (_READ + _WRITE).format(
        kind=kind, varied=", ".join(varied), negative=" or ".join(f"{name} < 0" for name in wholes),
        joined=f"b''.join({listed(reals)})", ends=listed(begins[1:]), fixed=listed(fixed),
        fields=", ".join(f"{name!r}: {arrays.get(name, name)}" for name in KINDS[kind]),
        given=listed([f"fields[{name!r}]" for name in fixed]),
        taken="; ".join(f"{name} = {value}" for name, value in taken.items()),
        lengths=listed([f"len({name})" for name in reals]), leasts=listed([f"least_{name}" for name in wholes]),
        smaller=" or ".join(f"{name} < least_{name}" for name in wholes),
        sames=listed([f"before_{name}" for name in [*varied, "end"]]),
        parts=", ".join([*(f"before_{name}, {name}" for name in varied), "before_end"]),
    )
    known = {"Message": Message, "REAL": REAL, "StructError": struct.error, "asarray": np.asarray,
             "frombuffer": np.frombuffer}
    exec(compile(text, f"<forms of {kind}>", "exec"), known)
    return type(f"{kind.title()}Form", (Form,), {"__slots__": (), "read": known["read"], "write": known["write"]})


FORMS: dict[str, type[Form]] = {kind: _form_of(kind) for kind in sorted(STREAMED)}


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
