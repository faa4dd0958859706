"""Frames of a message: whole, in order, never those of the next one."""

import pytest
import zmq

from tandem.bridge.wire.frames import receive_frames, send_pair


@pytest.fixture
def ends():
    with zmq.Context() as context, context.socket(zmq.PAIR) as near, context.socket(zmq.PAIR) as far:
        near.linger = 0
        near.bind("inproc://frames")
        far.connect("inproc://frames")
        yield near, far


@pytest.mark.parametrize("sizes", [(1,), (5, 0), (11, 120, 150_528), (3, 1, 4, 1, 5, 9)])
def test_a_message_comes_as_it_was_sent_and_the_next_one_by_itself(ends, sizes):
    near, far = ends
    sent = [bytes([number]) * size for number, size in enumerate(sizes)]
    near.send_multipart(sent)
    send_pair(near, b"state", b"next")
    assert [frame.bytes for frame in receive_frames(far)] == sent
    assert [frame.bytes for frame in receive_frames(far)] == [b"state", b"next"]


def test_nothing_there_is_told_at_once(ends):
    _, far = ends
    with pytest.raises(zmq.Again):
        receive_frames(far, zmq.NOBLOCK)
