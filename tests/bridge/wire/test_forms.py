"""What is read and written at a glance is, bit for bit, what field by field would have come of it."""

from dataclasses import replace

import msgpack
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tandem.bridge.wire import KINDS, Message, Refused, codec, decode, encode
from tandem.bridge.wire import fields as types
from tandem.bridge.wire.codec import MAX_REPLY
from tandem.bridge.wire.forms import STREAMED, Forms

EDGES = [0, 127, 128, 255, 256, 2**16 - 1, 2**16, 2**32 - 1, 2**32, 2**63 - 1]
wholes = st.integers(0, 2**63 - 1) | st.sampled_from(EDGES)
reals = st.floats() | st.sampled_from([-0.0, 5e-324, 1e308, -1e308, 2.0**1023])


@st.composite
def alike(draw, numbers=reals):
    """A message and another that differs in its whole numbers and reals, perhaps in how many there are."""
    kind = draw(st.sampled_from(sorted(STREAMED)))
    fixed = {"mode": "ACTIVE", "names": ("a", "b")}
    again, more = (draw(st.booleans()) for _ in range(2))

    def one(head):
        fields = dict(fixed)
        for name, field in KINDS[kind].items():
            if field is types.WHOLE:
                fields[name] = draw(wholes)
            elif field is types.REALS:
                fields[name] = np.array(draw(st.lists(numbers, min_size=2, max_size=2 + more)))
        return Message(kind, {name: fields[name] for name in KINDS[kind]}, "session", *head)

    head = [draw(wholes) for _ in range(4)]
    return one(head), one(head if again else [draw(wholes) for _ in range(4)])


def by_field(frame):
    return codec._checked(codec._unpack(frame))


def told(read, frame):
    """All that a frame says, bit for bit; the refusal and its reason when it says nothing."""
    try:
        message = read(frame)
    except Refused as reason:
        return reason.code, reason.detail
    fields = {name: (value.dtype.str, value.shape, value.tobytes(), value.flags.writeable, value.flags.aligned)
              if isinstance(value, np.ndarray) else (type(value), value) for name, value in message.fields.items()}
    return message.kind, fields, message.session, message.epoch, message.lease, message.seq, message.t


@given(alike())
def test_the_next_of_a_stream_is_written_as_field_by_field(messages):
    for message in messages:
        assert encode(message) == msgpack.packb(codec._plain(message))


@given(alike())
def test_the_next_of_a_stream_is_read_as_field_by_field(messages):
    for message in messages:
        frame = msgpack.packb(codec._plain(message))
        assert told(lambda frame: decode(frame, limit=MAX_REPLY), frame) == told(by_field, frame)


@given(alike(st.floats(-9, 9)), st.integers(0, 400), st.binary(max_size=9), st.integers(0, 9))
def test_a_changed_frame_is_read_as_field_by_field(messages, where, put, out):
    frame = encode(messages[0])
    decode(frame, limit=MAX_REPLY)
    where %= len(frame)
    changed = frame[:where] + put + frame[where + out:]
    assert told(lambda frame: decode(frame, limit=MAX_REPLY), changed) == told(by_field, changed)


CHUNK = {"t0": 2**40, "dt": 50_000_000, "ttl": 3_000_000_000, "names": ("a", "b"), "q": np.arange(4.0)}


def chunk(**changes):
    return Message("chunk", CHUNK | changes, "session", 1, 2, 300, 2**41)


STATE = {name: "ACTIVE" if name == "mode" else np.arange(2.0) if field is types.REALS else 300 + number
         for number, (name, field) in enumerate(KINDS["state"].items())}


def state(**changes):
    return Message("state", STATE | changes, "session", 1, 2, 300, 2**41)


@pytest.mark.parametrize("message", [chunk(), chunk(dt=5), state(), state(measured=2**41, fault=0),
                                     Message("accepted", dict.fromkeys(KINDS["accepted"], 7))],
                         ids=["chunk", "short", "state", "long", "accepted"])
def test_every_byte_at_every_place_is_read_as_field_by_field(message):
    frame = encode(message)
    decode(frame)
    for where in range(len(frame)):
        for byte in range(256):
            changed = frame[:where] + bytes((byte,)) + frame[where + 1:]
            assert told(decode, changed) == told(by_field, changed)


@pytest.mark.parametrize("changes", [{"session": "other"}, {"lease": 0}, {"fields": CHUNK | {"names": ("a", "c")}},
                                     {"fields": CHUNK | {"names": ["a", "b"]}}, {"fields": CHUNK | {"q": [[1], [2]]}}])
def test_what_is_otherwise_is_written_as_field_by_field(changes):
    encode(chunk())
    other = replace(chunk(), **changes)
    assert encode(other) == msgpack.packb(codec._plain(other))


@pytest.mark.parametrize("changes", [{"session": "other"}, {"epoch": 0}, {"fields": STATE | {"mode": "HOLDING"}},
                                     *({"fields": STATE | {name: np.zeros(3)}} for name in ("position", "setpoint")),
                                     *({"fields": STATE | {name: 2}} for name in ("fault", "worst"))])
def test_a_state_that_is_otherwise_is_written_as_field_by_field(changes):
    encode(state())
    other = replace(state(), **changes)
    assert encode(other) == msgpack.packb(codec._plain(other))


@given(st.lists(st.binary(min_size=8, max_size=8), min_size=4, max_size=4))
@example([b"\0" * 6 + b"\xf0\x7f"] * 4)
@example([b"\0" * 6 + b"\xf0\xff", *[bytes(8)] * 3])
@example([*[bytes(8)] * 3, b"\1" + b"\0" * 5 + b"\xf8\x7f"])
def test_any_bytes_of_a_real_are_read_as_field_by_field(numbers):
    frame = encode(chunk())
    decode(frame)
    where = frame.index(b"\xa1q\xc4") + 4
    changed = frame[:where] + b"".join(numbers) + frame[where + 32:]
    assert told(decode, changed) == told(by_field, changed)


def test_an_unusual_order_is_read_and_not_learnt(monkeypatch):
    monkeypatch.setattr(codec, "_READ", Forms())
    frame = msgpack.packb(dict(sorted(msgpack.unpackb(encode(chunk())).items())))
    assert told(decode, frame) == told(by_field, frame)
    assert not len(codec._READ)


def test_only_the_first_of_a_stream_goes_field_by_field(monkeypatch):
    monkeypatch.setattr(codec, "_READ", Forms())
    monkeypatch.setattr(codec, "_WRITTEN", Forms())
    unpacked, packed = [], []
    unpack, plain = codec._unpack, codec._plain
    monkeypatch.setattr(codec, "_unpack", lambda frame: unpacked.append(frame) or unpack(frame))
    monkeypatch.setattr(codec, "_plain", lambda message: packed.append(message) or plain(message))
    for count in range(100):
        decode(encode(chunk(t0=2**40 + count, q=np.full(4, count))))
    assert (len(unpacked), len(packed)) == (1, 2)  # the reader asks once whether the bytes are the usual ones


def learn(forms, key, message):
    plain = codec._plain(message)
    forms.learn(key, message, plain, msgpack.packb(plain))


def test_few_forms_are_kept_and_those_that_are_in_use():
    forms = Forms()
    for length in range(200):
        for count in range(10):
            learn(forms, length, chunk(names=("a" * length, str(count))))
    assert len(forms) <= 64 * 4
    forms, usual = Forms(), chunk()
    learn(forms, "chunk", usual)
    for count in range(20):
        learn(forms, "chunk", chunk(names=("a", str(count))))
        assert forms.write(usual) == encode(usual)
    assert len(forms) == 4


@pytest.mark.parametrize("odd", [chunk(names=("x" * 4096,)), chunk(t0=-200), chunk(t0=2**63)], ids=range(3))
def test_what_is_long_or_odd_has_no_form(odd):
    forms = Forms()
    learn(forms, "chunk", odd)
    assert not len(forms)
