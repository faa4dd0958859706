"""Pictures as they leave: topic, header, data; what finds no room is dropped, in pairs."""

import cv2
import numpy as np
import pytest
import zmq

from tandem.bridge.wire import decode
from tandem.sim.cameras import CameraRequest
from tandem.sim.plant.grain import COLOUR_LEVELS, DEPTH_M, Grain
from tandem.sim.plant.outlet import Outlet


@pytest.fixture
def pull(tmp_path):
    with zmq.Context() as context, context.socket(zmq.PULL) as socket:
        socket.rcvhwm, socket.linger = 1, 0
        socket.bind(f"ipc://{tmp_path}/media")
        yield socket


@pytest.mark.parametrize("jpeg", [False, True])
def test_a_picture_and_its_depth_come_through(pull, jpeg):
    outlet = Outlet(pull.last_endpoint.decode(), "s-9", ["front"], jpeg=jpeg)
    rgb = np.zeros((48, 64, 3), np.uint8)
    rgb[:, :, 0], rgb[10:20] = 200, 90
    depth = np.linspace(0, 2, 48 * 64, dtype=np.float32).reshape(48, 64)
    while not pull.poll(50):  # the connection takes a moment
        outlet.push("front", 77, rgb, depth)
    topic, header, data = pull.recv_multipart()
    head = decode(header)
    assert (topic, head.kind, head.session, head.t) == (b"image.front", "frame", "s-9", 77)
    assert dict(head.fields) == {
        "camera": "front", "key": "image.front", "encoding": "jpeg" if jpeg else "raw", "dtype": "|u1",
        "shape": (48, 64, 3),
    }
    got = np.frombuffer(data, np.uint8)
    got = cv2.imdecode(got, cv2.IMREAD_COLOR)[..., ::-1] if jpeg else got.reshape(rgb.shape)
    assert np.abs(got.astype(int) - rgb).mean() <= (3 if jpeg else 0)
    topic, header, data = pull.recv_multipart()
    assert (topic, decode(header)["dtype"], decode(header)["shape"]) == (b"depth.front", "<f4", (48, 64))
    assert np.array_equal(np.frombuffer(data, "<f4").reshape(48, 64), depth)
    outlet.close()


def test_a_buffer_may_be_used_again_at_once(pull):
    outlet = Outlet(pull.last_endpoint.decode(), "s", ["front"], jpeg=False)
    rgb = np.empty((720, 1280, 3), np.uint8)
    sent = 0
    while not pull.poll(50):
        rgb[:] = 7
        outlet.push("front", sent, rgb, None)
        rgb[:] = 9
        sent += 1
    assert set(np.frombuffer(pull.recv_multipart()[2], np.uint8)) == {7}
    outlet.close()


def test_nobody_waits_for_one_who_does_not_pull(pull):
    outlet = Outlet(pull.last_endpoint.decode(), "s", ["front", "wrist"], jpeg=False)
    rgb, depth = np.zeros((480, 640, 3), np.uint8), np.zeros((480, 640), np.float32)
    for t in range(1, 200):
        outlet.push("front", t, rgb, depth)
        outlet.push("wrist", t, rgb, depth)
    outlet.close()


def test_grain_is_slight_and_drawn_from_the_seed():
    camera = CameraRequest("front", 160, 120, depth=True)
    rgb, depth = np.full((120, 160, 3), 100, np.uint8), np.full((120, 160), 0.8, np.float32)
    depth[:10] = 0
    grain = Grain(camera)
    grain.reset(4)
    first = grain.over(rgb, depth)
    second = grain.over(rgb, depth)
    assert first[0].dtype == np.uint8
    assert first[1].dtype == np.float32
    assert abs(first[0].std() - COLOUR_LEVELS) < 0.1
    assert abs(first[1][10:].std() - DEPTH_M) < 1e-4
    assert not first[1][:10].any(), "no depth stays no depth"
    assert not np.array_equal(first[0], second[0])
    other = Grain(camera)
    other.reset(4)
    assert np.array_equal(other.over(rgb, depth)[0], first[0])
    assert grain.over(rgb, None)[1] is None
    white = np.full_like(rgb, 255)
    assert grain.over(white, None)[0].min() > 200, "it does not wrap around"
