"""A lane without sockets and without a clock: order, delays, copies, and how much it keeps."""

import pytest

from tandem.bridge.faults import Counts, Decisions, Direction, faults_named
from tandem.bridge.faults.framing import GREETING
from tandem.bridge.faults.lane import ALLOWANCE, MAX_READY, Lane

HELLO = (bytes([0xFF, *[0] * 7, 1, 0x7F, 3, 1]) + bytes(52))[:GREETING] + b"\x04\x06\x05READY"


def message(k, size=4):
    body = k.to_bytes(4, "big") + bytes(size - 4)
    return b"\x02" + size.to_bytes(8, "big") + body


def lane(words="", seed=0, **options):
    counts = Counts()
    made = Lane(Decisions(faults_named(words), seed, "state", 0, Direction.TO_CLIENT), counts, **options)
    made.take(HELLO, 0.0)
    made.release(0.0)
    assert gone(made) == HELLO, "a handshake is never delayed"
    return made, counts


def gone(made):
    """Everything that is due, written."""
    data = b""
    while buffers := made.ready():
        data += b"".join(buffers)
        made.written(sum(len(each) for each in buffers))
    return data


def numbers(data, size=4):
    return [int.from_bytes(data[i + 9:i + 13], "big") for i in range(0, len(data), size + 9)]


def played(words, count=100, every_s=0.001, seed=0):
    """(when, which) for every message that comes out, looked at every tenth of a millisecond."""
    made, counts = lane(words, seed)
    seen, tick_s = [], 1e-4
    for tick in range(round((count * every_s + 1.0) / tick_s)):
        now = tick * tick_s
        if tick % round(every_s / tick_s) == 0 and (k := tick // round(every_s / tick_s)) < count:
            made.take(message(k), now)
        made.release(now)
        seen += [(now, k) for k in numbers(gone(made))]
    return seen, counts


def test_without_faults_everything_passes_at_once():
    seen, counts = played("")
    assert [k for _, k in seen] == list(range(100))
    assert all(abs(when - k * 0.001) < 2e-4 for when, k in seen)
    assert counts == Counts(passed=100)


def test_jitter_never_reorders_and_never_hurries():
    seen, counts = played("delay:ms=5,jitter_ms=30")
    assert [k for _, k in seen] == list(range(100))
    late = [when - k * 0.001 for when, k in seen]
    assert min(late) >= 0.005 - 1e-9
    assert max(late) <= 0.035 + 2e-4
    assert counts == Counts(passed=100, delayed=100)


def test_reordered_messages_are_overtaken_and_the_others_keep_their_order():
    seen, counts = played("reorder:p=0.2,by_ms=10")
    order = [k for _, k in seen]
    assert sorted(order) == list(range(100))
    assert order != sorted(order)
    held = {k for when, k in seen if when - k * 0.001 > 0.009}
    assert len(held) == counts.reordered > 5
    assert [k for k in order if k not in held] == [k for k in range(100) if k not in held]


def test_copies_follow_at_once():
    seen, counts = played("duplicate:p=0.3")
    order = [k for _, k in seen]
    assert order == sorted(order)
    assert len(order) == 100 + counts.duplicated
    assert counts.passed == 100


def test_the_same_messages_meet_the_same_fate_at_any_pace():
    words = "drop:p=0.2;duplicate:p=0.1"
    slow, fast = played(words, every_s=0.01), played(words, every_s=0.0002)
    assert [k for _, k in slow[0]] == [k for _, k in fast[0]]
    assert slow[1] == fast[1]
    assert slow[1].dropped > 5


@pytest.mark.parametrize("size", [4, 1000, 200_000])
def test_no_more_than_the_bound_waits(size):
    bound = 2**20
    made, _ = lane("delay:ms=1000", max_waiting=bound)
    stream, sent, tops = message(0, size) * (4 * bound // size), 0, 0
    while (room := made.room) > 0:
        made.take(stream[sent:sent + room], 0.0)
        sent += room
        tops = max(tops, made.waiting)
    assert bound * 0.7 < tops <= bound, "it takes much, and never more than it may"
    made.release(2.0)
    gone(made)
    assert made.room > 0.4 * bound / ALLOWANCE, "and goes on when it is rid of it"


def test_what_a_receiver_does_not_take_is_soon_felt_by_the_sender():
    made, _ = lane()
    sent = 0
    while made.room > 0:
        made.take(message(0, 1000), 0.0)
        made.release(0.0)
        sent += 1000
    assert sent <= 1.1 * MAX_READY


def test_half_open_discards_and_counts():
    made, counts = lane("duplicate:p=1")
    made.take(message(1) + message(2), 0.0)
    made.release(0.0, discard=True)
    assert gone(made) == b""
    assert counts == Counts(discarded=2, duplicated=2)
    assert not made.maimed


def test_half_a_handshake_is_remembered():
    made = Lane(Decisions((), 0, "state", 0, Direction.TO_CLIENT), Counts())
    made.take(HELLO[:10], 0.0)
    made.release(0.0, discard=True)
    assert made.maimed


def test_an_abandoned_lane_keeps_nothing():
    made, _ = lane("delay:ms=1000")
    made.take(message(1) + message(2)[:5], 0.0)
    made.abandon()
    made.take(message(3), 0.0)
    assert made.drained
    assert made.waiting == 0
