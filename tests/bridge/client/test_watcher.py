"""The thread that reads the state stream, beside the one that asks it."""

import sys
import threading
import time

import pytest
import zmq

from tandem.bridge.client.watcher import KEPT, Watcher
from tandem.bridge.wire import Message, encode

TALK_S = 1.5


@pytest.fixture
def talker():
    """A controller that tells one event after another, and the watcher that hears them."""
    context = zmq.Context()
    publisher, state, keeper = context.socket(zmq.PUB), context.socket(zmq.SUB), context.socket(zmq.DEALER)
    for socket in (publisher, state, keeper):
        socket.linger = 0
    state.subscribe(b"")
    state.connect(f"tcp://127.0.0.1:{publisher.bind_to_random_port('tcp://127.0.0.1')}")
    over = threading.Event()

    def talk():
        event = encode(Message("event", {"what": "mode", "detail": "", "data": {}}, "here", 1, 0, 1, 1))
        while not over.is_set():
            publisher.send_multipart((b"event", event))

    thread, watcher = threading.Thread(target=talk), Watcher(state, keeper, "here", renew_every_s=1, silence_s=1)
    thread.start()
    yield watcher
    over.set()
    thread.join()
    watcher.close()
    publisher.close()
    context.term()


def test_what_was_heard_is_read_while_more_is_heard(talker):
    switching_s, end = sys.getswitchinterval(), time.monotonic() + TALK_S
    sys.setswitchinterval(1e-5)
    try:
        while time.monotonic() < end:
            heard = [message for message in talker.events if message["what"] == "mode"]
    finally:
        sys.setswitchinterval(switching_s)
    assert 0 < len(heard) <= KEPT
