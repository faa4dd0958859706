"""Bytes to messages and back: one msgpack map, canonical field order, sizes bounded before anything is made of them.

Nothing executable can be expressed: no extension types, no objects. A message that is decoded has every field of its
kind with its type, finite, and no other field.
"""

from __future__ import annotations

from typing import Any

import msgpack

from tandem.bridge.wire.fields import FieldType
from tandem.bridge.wire.forms import STREAMED, Forms
from tandem.bridge.wire.kinds import ENVELOPE, KINDS, VERSION
from tandem.bridge.wire.message import Message
from tandem.bridge.wire.refusal import Refusal, Refused

MAX_FRAME = 64 * 1024  # bytes of a message towards a controller
MAX_REPLY = 4 * 2**20  # bytes of a message from one; a picture's data is a frame of its own
_MAX_MAP = 256
_MAX_ARRAY = 256  # room is made for an array as soon as its length is read: nested ones would cost a servo its turn
_MAX_LONG_ARRAY = 4096  # of a large message from a controller


def encode(message: Message) -> bytes:
    """The bytes of a message: envelope first, then its fields in the order of `KINDS`."""
    frame = _WRITTEN.write(message)
    if frame is not None:
        return frame
    plain = _plain(message)
    frame = msgpack.packb(plain)
    if message.kind in STREAMED:
        _WRITTEN.learn(message.kind, message, plain, frame)
    return frame


def _plain(message: Message) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "v": VERSION, "kind": message.kind, "session": message.session, "epoch": message.epoch,
        "lease": message.lease, "seq": message.seq, "t": message.t,
    }
    fields = message.fields
    for name, kind in KINDS[message.kind].items():
        plain[name] = kind.pack(fields[name])
    return plain


def decode(frame: bytes | memoryview, *, limit: int = MAX_FRAME) -> Message:
    """The message in a frame.

    Args:
        frame: as it came.
        limit: bytes that it may have.

    Raises:
        Refused: OVERSIZED, MALFORMED, UNSUPPORTED_VERSION, UNKNOWN_KIND or NOT_FINITE, naming the culprit.
    """
    if len(frame) > limit:
        raise Refused(Refusal.OVERSIZED, f"{len(frame)} bytes, at most {limit} are read")
    message = _READ.read(frame)
    if message is not None:
        return message
    message = _checked(_unpack(frame))
    if message.kind in STREAMED:
        _READ.learn(len(frame), message, _plain(message), frame)
    return message


def _checked(plain: dict[str, Any]) -> Message:
    if type(plain.get("v")) is not int or plain["v"] != VERSION:  # True and 1.0 equal 1
        raise Refused(Refusal.UNSUPPORTED_VERSION, f"version {str(plain.get('v'))[:20]}, this side speaks {VERSION}")
    kind = plain.get("kind")
    layout = KINDS.get(kind) if isinstance(kind, str) else None
    if layout is None:
        raise Refused(Refusal.UNKNOWN_KIND, f"kind {str(kind)[:40]!r}")
    if len(plain) != len(ENVELOPE) + len(layout):
        raise Refused(Refusal.MALFORMED, _odd(plain, layout))
    try:
        head = [check(name, plain[name]) for name, check in _HEAD]
        fields = {name: check(name, plain[name]) for name, check in _CHECKS[kind]}
    except KeyError as missing:
        raise Refused(Refusal.MALFORMED, f"{kind} lacks its field {missing}") from None
    return Message(kind, fields, *head)


_WRITTEN, _READ = Forms(), Forms()  # by kind, by length
_HEAD = tuple((name, kind.check) for name, kind in ENVELOPE.items() if name not in ("v", "kind"))
_CHECKS = {kind: tuple((name, field.check) for name, field in layout.items()) for kind, layout in KINDS.items()}


def _map_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    plain = dict(pairs)
    if len(plain) != len(pairs):
        raise ValueError("a key comes twice")
    return plain


def _unpack(frame: bytes | memoryview) -> dict[str, Any]:
    size = len(frame)
    try:
        plain = msgpack.unpackb(
            frame, max_map_len=_MAX_MAP, max_array_len=_MAX_ARRAY if size <= MAX_FRAME else _MAX_LONG_ARRAY,
            max_bin_len=size, max_str_len=size, max_ext_len=0, object_pairs_hook=_map_of,
        )
    except (ValueError, UnicodeDecodeError, msgpack.exceptions.UnpackException, RecursionError) as reason:
        raise Refused(Refusal.MALFORMED, f"no msgpack map: {str(reason) or type(reason).__name__}"[:200]) from None
    if type(plain) is not dict:
        raise Refused(Refusal.MALFORMED, f"a msgpack {type(plain).__name__}, not a map")
    return plain


def _odd(plain: dict[str, Any], layout: dict[str, FieldType]) -> str:
    known = {*ENVELOPE, *layout}
    missing, extra = sorted(known - set(plain)), sorted(str(name)[:40] for name in set(plain) - known)
    return f"{plain['kind']} lacks {', '.join(missing) or 'nothing'}, has the unknown {', '.join(extra[:8]) or 'none'}"


def peek(frame: bytes | memoryview) -> tuple[str, int, int]:
    """Kind, id and seq of a frame that `decode` refuses, as far as it tells: so that the refusal can name them."""
    try:
        plain = _unpack(frame)
    except Refused:
        return "", 0, 0
    numbers = [plain.get(name, 0) for name in ("id", "seq")]
    whole = [number if type(number) is int and 0 <= number < 2**63 else 0 for number in numbers]
    return str(plain.get("kind", ""))[:40], whole[0], whole[1]
