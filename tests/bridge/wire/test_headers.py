"""A picture's header is read and written at a glance as it is by the codec, whatever its bytes."""

import msgpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tandem.bridge.wire import Message, Refused, decode, encode, headers
from tandem.bridge.wire.codec import MAX_REPLY
from tandem.bridge.wire.headers import HeaderForm, Headers

FIELDS = {"camera": "front", "key": "image.front", "encoding": "raw", "dtype": "|u1", "shape": (224, 224, 3)}
NOW = 2**40
numbers = st.integers(0, 2**63 - 1) | st.sampled_from([0, 127, 128, 255, 256, 2**16, 2**32 - 1, 2**32, 2**63 - 1])


def header(seq=1, t=NOW, **changes):
    return encode(Message("frame", FIELDS | changes, "session", 2, 3, seq, t))


def told(read, frame):
    """Everything that a header says but its number; the refusal when it is none."""
    try:
        message, t = read(frame)
    except Refused as reason:
        return reason.code
    return message.kind, message.fields, message.session, message.epoch, message.lease, t


def alike(frame):
    known = Headers()
    known.read(b"image.front", header())
    by_decoding = told(lambda frame: ((message := decode(frame, limit=MAX_REPLY)), message.t), frame)
    assert told(lambda frame: known.read(b"image.front", frame), frame) == by_decoding


@given(numbers, numbers)
def test_any_number_and_time_are_read(seq, t):
    alike(header(seq, t))


@given(numbers, numbers)
def test_any_number_and_time_are_written(seq, t):
    form = HeaderForm.of(decode(header(), limit=MAX_REPLY))
    assert form.write(seq, t) == header(seq, t)


@given(st.integers(0, 400), st.binary(max_size=9), st.integers(0, 9), st.sampled_from([1, 200, 300, 2**20, 2**40]))
@example(header().index(b"\xa1t\xcf") + 3, b"\xff", 1, 1)  # a time of 2^63 and more
@example(header().index(b"\xa3seq") + 4, b"", 1, 1)  # no number at all
@example(header().index(b"\xa3seq") + 4, b"\xc0", 1, 1)  # none that is one
@example(0, header()[:header().index(b"\xa3seq")], 0, 1)  # the beginning twice
def test_a_changed_header_is_read_as_decoding_reads_it(where, put, out, seq):
    frame = header(seq)
    where %= len(frame)
    alike(frame[:where] + put + frame[where + out:])


@pytest.mark.parametrize("changes", [{"key": "image.side"}, {"shape": (2, 2)}, {"encoding": "jpeg"}])
def test_another_form_is_read_and_becomes_the_known_one(changes):
    known = Headers()
    known.read(b"image.front", header())
    for seq in (2, 3):
        message, t = known.read(b"image.front", header(seq, NOW + seq, **changes))
        assert (message.fields, t) == (FIELDS | changes, NOW + seq)


def test_an_unusual_order_is_read_too():
    plain = msgpack.unpackb(header())
    frame = msgpack.packb(dict(sorted(plain.items())))
    alike(frame)
    known = Headers()
    assert [known.read(b"image.front", frame)[1] for _ in range(2)] == [NOW, NOW]


def test_only_the_first_of_a_camera_is_decoded(monkeypatch):
    known, decoded = Headers(), []
    monkeypatch.setattr(headers, "decode", lambda frame, **options: decoded.append(frame) or decode(frame, **options))
    for seq in range(1, 300):
        known.read(b"image.front", header(seq, NOW + seq))
        known.read(b"image.side", header(seq, NOW + seq, key="image.side"))
    assert len(decoded) == 2
