"""Frames of a message: whole, in order, never those of the next one."""

import pytest
import zmq

from tandem.bridge.wire.frames import NOW, NOW_MORE, receive_frames, receive_named, receive_triple, send


@pytest.fixture
def ends():
    with zmq.Context() as context, context.socket(zmq.PAIR) as near, context.socket(zmq.PAIR) as far:
        near.linger, far.rcvtimeo = 0, 1000
        near.bind("inproc://frames")
        far.connect("inproc://frames")
        yield near, far


@pytest.mark.parametrize("sizes", [(1,), (5, 0), (11, 120, 150_528), (3, 1, 4, 1, 5, 9)])
def test_a_message_comes_as_it_was_sent_and_the_next_one_by_itself(ends, sizes):
    near, far = ends
    sent = [bytes([number]) * size for number, size in enumerate(sizes)]
    near.send_multipart(sent)
    send(near, b"state", NOW_MORE)
    send(near, b"next", NOW)
    assert [frame.bytes for frame in receive_frames(far)] == sent
    name, frames = receive_named(far)
    assert (name, [frame.bytes for frame in frames]) == (b"state", [b"next"])


@pytest.mark.parametrize("receive", [receive_frames, receive_named])
def test_nothing_there_is_told_at_once(ends, receive):
    _, far = ends
    far.rcvtimeo = -1
    with pytest.raises(zmq.Again):
        receive(far, NOW)


def test_what_a_name_is_followed_by_is_not_copied(ends):
    near, far = ends
    near.send_multipart([b"route", b"", b"frame"])
    name, frames = receive_named(far)
    assert name == b"route"
    assert [frame.bytes for frame in frames] == [b"", b"frame"]
    near.send(b"alone")
    assert receive_named(far) == (b"alone", [])


@pytest.mark.parametrize("others", [1, 2, 4, 7])
def test_three_frames_are_three_and_whatever_else_comes_costs_one_message_at_most(ends, others):
    near, far = ends
    picture = [b"topic", b"header", b"data" * 50_000]
    near.send_multipart(picture)
    near.send_multipart([b"?"] * others)
    *names, data = receive_triple(far)
    assert [*names, data.bytes] == picture
    near.send_multipart(picture)
    near.send_multipart(picture)
    with pytest.raises(ValueError, match="than three frames"):
        receive_triple(far)
    left = 0
    while far.poll(100):
        *names, data = receive_triple(far)
        assert [*names, data.bytes] == picture
        left += 1
    assert left == (1 if others < 3 else 2)


@pytest.mark.parametrize("others", [1, 2])
def test_a_short_message_that_none_follows_is_told_at_once(ends, others):
    near, far = ends
    near.send_multipart([b"?"] * others)
    with pytest.raises(ValueError, match="fewer than three"):
        receive_triple(far)
