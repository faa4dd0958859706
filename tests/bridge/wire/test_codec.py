"""Whatever the bytes: a message with every field of its kind, finite and typed, or a refusal with a reason."""

import math
import time

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tandem.bridge.wire import KINDS, Message, Refusal, Refused, decode, encode
from tandem.bridge.wire import fields as types
from tandem.bridge.wire.codec import MAX_FRAME, MAX_REPLY, peek

words = st.text(max_size=30)
VALUES = {
    types.WHOLE.name: st.integers(0, 2**63 - 1), types.NUMBER.name: st.floats(allow_nan=False, allow_infinity=False),
    types.FLAG.name: st.booleans(), types.WORDS.name: words, types.NAMES.name: st.lists(words, max_size=5).map(tuple),
    types.WHOLES.name: st.lists(st.integers(0, 2**40), max_size=5).map(tuple),
    types.REALS.name: st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=9).map(np.array),
    types.MAP.name: st.dictionaries(words, st.integers(0, 9), max_size=3), types.ANY.name: st.none() | words,
}


@st.composite
def messages(draw):
    kind = draw(st.sampled_from(sorted(KINDS)))
    fields = {name: draw(VALUES[field.name]) for name, field in KINDS[kind].items()}
    numbers = [draw(VALUES["uint"]) for _ in range(4)]
    return Message(kind, fields, draw(words), *numbers)


def refused(frame, **options):
    with pytest.raises(Refused) as caught:
        decode(frame, **options)
    return caught.value.code


def read(frame):
    """The message in a frame, or the refusal with its reason; any other error is raised."""
    try:
        return decode(frame, limit=MAX_REPLY)
    except Refused as reason:
        return reason


def plain(kind="chunk", **changes):
    fields = {"t0": 1, "dt": 2, "ttl": 3, "names": ["a"], "q": np.zeros(2).tobytes()} if kind == "chunk" else {}
    return {"v": 1, "kind": kind, "session": "", "epoch": 0, "lease": 0, "seq": 0, "t": 0, **fields, **changes}


@given(messages())
def test_a_message_survives_the_wire(message):
    again = decode(encode(message), limit=MAX_REPLY)
    assert encode(again) == encode(message)
    assert (again.kind, again.session, again.seq, again.t) == (message.kind, message.session, message.seq, message.t)


@settings(max_examples=500)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_a_refusal(frame):
    peek(frame)
    read(frame)


@settings(max_examples=300)
@given(messages(), st.integers(0, 400), st.integers(0, 255))
def test_a_damaged_message_is_a_message_or_a_refusal(message, where, byte):
    frame = bytearray(encode(message))
    frame[where % len(frame)] = byte
    fields = getattr(read(bytes(frame)), "fields", {})
    assert all(np.isfinite(value).all() for value in fields.values() if isinstance(value, np.ndarray))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_refused_as_such(value):
    assert refused(msgpack.packb(plain(q=np.array([0.0, value]).tobytes()))) is Refusal.NOT_FINITE


def test_a_field_too_few_or_too_many_is_named():
    short = plain()
    del short["ttl"]
    for frame, name in ((short, "ttl"), (plain(extra=1), "extra")):
        with pytest.raises(Refused, match=name) as caught:
            decode(msgpack.packb(frame))
        assert caught.value.code is Refusal.MALFORMED


@pytest.mark.parametrize("change", [{"seq": -1}, {"seq": 2**64 - 1}, {"seq": 1.0}, {"seq": True}, {"names": "a"},
                                    {"q": [0.0]}, {"q": b"123"}, {"session": b"x"}, {"session": "x" * 5000}])
def test_a_field_of_another_type_is_refused(change):
    assert refused(msgpack.packb(plain(**change))) is Refusal.MALFORMED


@pytest.mark.parametrize("version", [True, 1.0], ids=repr)
def test_a_version_is_a_whole_number(version):
    assert refused(msgpack.packb(plain(v=version))) is Refusal.UNSUPPORTED_VERSION


@pytest.mark.parametrize("frame", [
    msgpack.packb(plain()).replace(b"\x8c", b"\x8d", 1) + b"\xa5lease\x07",
    encode(Message("reset", {"id": 1, "options": {"a": 1, "b": 2}})).replace(b"\xa1b", b"\xa1a"),
], ids=["of the message", "of a map in it"])
def test_a_key_that_comes_twice_is_refused(frame):
    assert refused(frame) is Refusal.MALFORMED


def test_versions_kinds_and_sizes():
    assert refused(msgpack.packb(plain(v=2))) is Refusal.UNSUPPORTED_VERSION
    assert refused(msgpack.packb(plain(v=None))) is Refusal.UNSUPPORTED_VERSION
    assert refused(msgpack.packb(plain(kind="dance"))) is Refusal.UNKNOWN_KIND
    assert refused(msgpack.packb(plain(kind=["x"]))) is Refusal.UNKNOWN_KIND
    assert refused(bytes(MAX_FRAME + 1)) is Refusal.OVERSIZED


@pytest.mark.parametrize("frame", [
    b"", b"\x90", b"\xc1", msgpack.packb([1, 2]), msgpack.packb(plain(session=msgpack.ExtType(1, b"x"))),
    b"\x81" * 5000, b"\x91" * 60_000, b"\xdf\xff\xff\xff\xff", b"\xdd\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff",
    b"\xdb\x7f\xff\xff\xff", b"\x82\xa1v\x01\xa1v\x01", b"\x81\xc0\x01", b"\x81\xa1\xff\x01",
], ids=range(14))
def test_hostile_bytes_are_refused_at_once(frame):
    begin = time.monotonic()
    refused(frame)
    assert time.monotonic() - begin < 1.0


@pytest.mark.parametrize("value", [msgpack.ExtType(5, b"x"), msgpack.Timestamp(1, 2)], ids=["extension", "time"])
def test_no_extension_type_passes_wherever_it_stands(value):
    assert refused(msgpack.packb(plain("answer", id=1, value=[value]))) is Refusal.MALFORMED
    assert refused(msgpack.packb(plain("reset", id=1, options={"seed": value}))) is Refusal.MALFORMED


@pytest.mark.parametrize("options", [{"seed": msgpack.ExtType(5, b"")}, {"difficulty": math.nan}, {b"seed": 1}],
                         ids=["empty extension", "nan", "key of bytes"])
def test_what_a_map_holds_is_checked_too(options):
    refused(msgpack.packb(plain("reset", id=1, options=options)))
