"""Streams of ZMTP are cut into the same units wherever the network cuts them."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.bridge.faults.framing import Framing, Kind, NotZmtp

GREETING = bytes([0xFF, *[0] * 7, 1, 0x7F, 3, 1]) + b"NULL".ljust(20, b"\0") + bytes(32)
LIMIT = 2**20


def frame(body, *, more=False, command=False, long=False):
    long = long or len(body) > 255
    flags = more | long << 1 | command << 2
    return bytes([flags]) + len(body).to_bytes(8 if long else 1, "big") + body


READY = frame(b"\x05READY\x0bSocket-Type", command=True)
UNITS = [
    (Kind.HANDSHAKE, READY),
    (Kind.COMMAND, frame(b"\x09SUBSCRIBE", command=True)),
    (Kind.MESSAGE, frame(b"one")),
    (Kind.MESSAGE, frame(b"", more=True) + frame(b"x" * 300, more=True) + frame(b"")),
    (Kind.MESSAGE, frame(b"short but with a long length", long=True)),
    (Kind.MESSAGE, frame(b"topic", more=True) + frame(b"\x04PING", command=True) + frame(b"data")),
    (Kind.COMMAND, frame(b"\x04PING" + bytes(300), command=True)),
    (Kind.MESSAGE, frame(b"")),
]
STREAM = GREETING + b"".join(data for _, data in UNITS)


def cut(stream, places):
    framing, units = Framing(LIMIT), []
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    for begin, end in pairwise(edges):
        units += framing.cut(stream[begin:end])
    return framing, units


@given(st.lists(st.integers(0, 10**6), max_size=30))
def test_units_do_not_depend_on_where_the_stream_is_cut(places):
    framing, units = cut(STREAM, places)
    greeting = [unit for unit in units if sum(len(u.data) for u in units[:units.index(unit) + 1]) <= len(GREETING)]
    assert b"".join(unit.data for unit in greeting) == GREETING
    assert [(unit.kind, unit.data) for unit in units[len(greeting):]] == UNITS
    assert framing.rest == 0


def test_octet_by_octet():
    _, units = cut(STREAM, range(len(STREAM)))
    assert [(unit.kind, unit.data) for unit in units[len(GREETING):]] == UNITS


def test_the_greeting_passes_as_it_comes():
    framing = Framing(LIMIT)
    assert [unit.data for unit in framing.cut(GREETING[:10])] == [GREETING[:10]], "else both sides wait for ever"


def test_half_a_message_waits():
    framing = Framing(LIMIT)
    framing.cut(GREETING + READY)
    whole = frame(b"topic", more=True) + frame(b"data")
    assert framing.cut(whole[:-1]) == []
    assert framing.rest == len(whole) - 1
    assert [unit.data for unit in framing.cut(whole[-1:])] == [whole]


@pytest.mark.parametrize("names", [(b"\x05HELLO", b"\x08INITIATE"), (b"\x07WELCOME", b"\x05READY")])
def test_the_handshake_of_curve_has_two_commands_in_each_direction(names):
    framing = Framing(LIMIT)
    framing.cut(GREETING)
    commands = b"".join(frame(name + bytes(300), command=True) for name in names)
    units = framing.cut(commands + frame(b"\x07MESSAGE"))
    assert [unit.kind for unit in units] == [Kind.HANDSHAKE, Kind.HANDSHAKE, Kind.MESSAGE]


@pytest.mark.parametrize("stream, told", [
    (b"GET / HTTP/1.1\r\n", "octet 0"),
    (bytes([0xFF, *[0] * 7, 1, 0x7F, 1]), "octet 10"),
    (GREETING + frame(b"too early"), "before the end of the handshake"),
    (GREETING + READY + b"\x08", "flags 0x8"),
    (GREETING + READY + b"\x02" + (2**40).to_bytes(8, "big"), "raise max_waiting"),
    (GREETING + READY + (frame(b"x" * 2**18, more=True) * 5), "raise max_waiting"),
])
def test_what_is_no_zmtp_or_too_large_is_refused(stream, told):
    with pytest.raises(NotZmtp, match=told):
        Framing(LIMIT).cut(stream)
