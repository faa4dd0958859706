"""Pictures off a real media socket: the newest that is wanted, as the specification says, or a reason."""

from contextlib import contextmanager

import numpy as np
import pytest
import zmq

from tandem.bridge.client.contact import Contact
from tandem.bridge.client.pictures import Pictures
from tandem.bridge.conformance import dummy_spec
from tandem.bridge.contract import InvalidObservation, StaleObservation
from tandem.bridge.drivers.camera import header_of, send_picture
from tandem.bridge.wire import Message, encode

SPEC, KEY, SESSION = dummy_spec(), "image.front", "session"
SHAPE = (24, 32, 3)


class Camera:
    """A media socket, of which everything is known."""

    def __init__(self, socket, pictures):
        self.socket, self.pictures, self.count = socket, pictures, 0

    def send(self, taken, value=7, *, key=KEY, shape=SHAPE, dtype=np.uint8, session=SESSION, data=None):
        picture = np.full(shape, value, dtype)
        self.count += 1
        header = header_of(key, picture, session).write(self.count, taken)
        send_picture(self.socket, key, header, picture if data is None else data)

    def look(self, when=1, deadline_s=2.0):
        return self.pictures.first_after(KEY, when, deadline_s)


@pytest.fixture
def camera():
    with connected() as camera:
        yield camera


@contextmanager
def connected():
    with zmq.Context() as context, context.socket(zmq.XPUB) as socket:
        socket.linger = 0
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        pictures = Pictures(context, Contact("127.0.0.1", port), port, SPEC, SESSION)
        pictures.subscribe(KEY)
        assert socket.poll(2000)
        socket.recv()  # the subscription has come
        try:
            yield Camera(socket, pictures)
        finally:
            pictures.close()


def test_the_first_that_is_new_enough_is_given_and_given_again(camera):
    for taken in (2**40, 2**40 + 1, 2**40 + 2):
        camera.send(taken, value=taken % 256)
    picture, taken = camera.look(2**40 + 1)
    assert taken == 2**40 + 1
    assert picture.shape == SHAPE
    assert np.all(picture == 1)
    again, taken = camera.look(2**40)
    assert (taken, again.tobytes()) == (2**40 + 1, picture.tobytes())
    assert camera.look(2**40 + 2)[1] == 2**40 + 2


def test_of_another_session_or_too_old_is_none(camera):
    camera.send(2**40)
    camera.send(2**50, session="another")
    with pytest.raises(StaleObservation, match=r"no 'image.front' within 0.2 s"):
        camera.look(2**41, 0.2)


@pytest.mark.parametrize("wrong", [{"shape": (24, 31, 3)}, {"dtype": np.float32}, {"data": b"short"}])
def test_what_is_not_as_the_specification_says_is_refused_however_many_good_ones_came_before(camera, wrong):
    for taken in range(2**40, 2**40 + 3):
        camera.send(taken)
        camera.look(taken)
    camera.send(2**41, **wrong)
    with pytest.raises(InvalidObservation):
        camera.look(2**41)
    camera.send(2**42)
    assert camera.look(2**42)[1] == 2**42


@pytest.mark.parametrize("frames", [1, 2, 4])
def test_a_message_of_other_frames_is_refused_and_the_stream_goes_on(camera, frames):
    camera.send(2**40)
    camera.look()
    camera.socket.send_multipart([KEY.encode()] * frames)
    with pytest.raises(InvalidObservation, match="than three frames: topic, header, data"):
        camera.look(2**41)
    camera.send(2**41)
    assert camera.look(2**41)[1] == 2**41


@pytest.mark.parametrize("header", [b"no header", encode(Message("pong", {"id": 1, "received": 2}, SESSION, t=2**40))])
def test_a_header_that_is_none_is_refused(camera, header):
    camera.socket.send_multipart([KEY.encode(), header, bytes(np.prod(SHAPE))])
    with pytest.raises(InvalidObservation, match="picture"):
        camera.look()
