"""openpi's wire: the server speaks first, a text is a traceback; servers that hang, lie, or close amid a frame."""

import base64
import hashlib
import re
import socket
import threading
import time
import urllib.error
import urllib.request
from dataclasses import replace

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect

from tandem.bridge.conformance import DummyPolicy
from tandem.bridge.contract import FailureCode, InvalidOption, SkillFailed, SpecMismatch, Subgoal
from tandem.policies.remote import ServerRefused, ServerUnresponsive, Undecodable
from tandem.policies.remote.arrays import Encoding, decode, encode

HOME = Subgoal("home")


def pack(value):
    return encode(value, Encoding.OPENPI)


def rows(spec, value=0.0, count=10):
    """Joint steps and gripper as a server for DROID answers."""
    return {"actions": np.column_stack((np.full((count, spec.dof), value), np.zeros(count)))}


def stock(*answers, metadata=None, seen=None):
    """A server as openpi's is, with one answer for each question; text and bytes are sent as they are."""
    left = list(answers)

    def handle(connection):
        connection.send(pack({} if metadata is None else metadata))
        for message in connection:
            if seen is not None:
                seen.append(decode(message))
            answer = left.pop(0)
            if callable(answer):
                answer = answer(connection)
            connection.send(answer if isinstance(answer, (str, bytes)) else pack(answer))
            if isinstance(answer, str):
                connection.close(1011, "failed")

    return handle


def failure(policy, observation):
    with pytest.raises(SkillFailed) as caught:
        policy.infer(observation, HOME)
    return caught.value


def test_droids_observation_and_actions(false_websocket, client, spec, observation):
    seen = []
    answer = {**rows(spec, 0.1), "state": np.zeros(8), "server_timing": {"infer_ms": 1.0}}
    server = false_websocket(stock(answer, seen=seen))
    chunk = client("openpi", server.port, map="droid").infer(observation, HOME)
    sent = seen[0]
    assert sent.keys() == {"observation/exterior_image_1_left", "observation/wrist_image_left",
                           "observation/joint_position", "observation/gripper_position", "prompt"}
    assert sent["observation/exterior_image_1_left"].shape == (224, 224, 3)
    assert np.allclose(sent["observation/gripper_position"], 1 - observation["gripper_opening"])
    assert len(chunk) == 11  # 8 actions at 15 Hz are 10.67 control steps at 20 Hz
    assert np.allclose(chunk.actions[2, :3], observation["joint_position"] + 0.02 * 2.25)  # 0.15 s after
    assert np.allclose(chunk.actions[:, 3], 1.0)


def test_a_server_that_never_says_done_is_left_to_the_verifier(false_websocket, client, spec, observation):
    port = false_websocket(stock(*[rows(spec)] * 4)).port
    policy = client("openpi", port, map="droid", done_s=1.2)
    assert policy.introduce()[-1] == "a subgoal ends after 1.2 s, and the verifier looks"
    finals = [policy.infer({**observation, "time": np.array([time_s])}, HOME).final for time_s in (5.0, 5.5, 6.0)]
    assert finals == [False, False, True]  # chunks of a good half second
    policy.reset(2)
    assert not policy.infer({**observation, "time": np.array([6.5])}, HOME).final


@pytest.mark.parametrize("done_s", [0.0, -1.0, np.nan, np.inf])
def test_a_time_that_is_none(done_s, client):
    with pytest.raises(InvalidOption):
        client("openpi", 9, map="droid", done_s=done_s)


def test_aloha_nests_its_pictures_channels_first(false_websocket, client, spec, observation):
    seen, actions = [], np.tile(np.append(observation["joint_position"], 1.0), (5, 1))
    server = false_websocket(stock({"actions": actions}, seen=seen))
    client("openpi", server.port, map="aloha").infer(observation, HOME)
    assert seen[0]["images"]["cam_high"].shape == (3, 224, 224)
    assert seen[0].keys() == {"images", "state", "prompt"}


@pytest.mark.parametrize("answer, code", [
    ("Traceback (most recent call last):\n  ...\nRuntimeError: out of memory", FailureCode.INTERNAL_ERROR),
    (b"\xc1", FailureCode.INVALID_ACTION), (b"", FailureCode.INVALID_ACTION), ([1, 2], FailureCode.INVALID_ACTION),
    ({"actions": {b"__ndarray__": True, b"data": bytes(8), b"dtype": "|O", b"shape": [1]}}, FailureCode.INVALID_ACTION),
    ({"actions": {b"__ndarray__": True, b"data": b"", b"dtype": "<f8", b"shape": [9]}}, FailureCode.INVALID_ACTION),
    ({"actions": np.full((10, 4), np.inf)}, FailureCode.INVALID_ACTION),
    ({"actions": np.full((10, 4), 400.0)}, FailureCode.INVALID_ACTION),
    (lambda connection: connection.close() or b"", FailureCode.TIMEOUT),
    (lambda connection: connection.socket.shutdown(2) or b"", FailureCode.TIMEOUT),
], ids=str)
def test_an_answer_that_is_no_chunk_moves_nothing(answer, code, false_websocket, client, spec, observation):
    policy = client("openpi", false_websocket(stock(answer, rows(spec))).port, map="droid")
    assert failure(policy, observation).code is code
    assert len(policy.infer(observation, HOME)) == 11  # over a new connection


@pytest.mark.parametrize("answer", [
    {}, {"action": np.zeros((10, 4))}, {"actions": np.zeros((10, 8))}, {"actions": np.zeros(4)},
    {"actions": [[0.0] * 4]},
])
def test_a_server_that_lies_about_shapes_moves_nothing(answer, false_websocket, client, observation):
    policy = client("openpi", false_websocket(stock(answer)).port, map="droid")
    with pytest.raises(SpecMismatch):
        policy.infer(observation, HOME)


@pytest.mark.parametrize("greeting, error", [(b"\xc1", Undecodable), ([1], Undecodable), ("Traceback", ServerRefused)])
def test_a_greeting_of_rubbish(greeting, error, false_websocket, client):
    def handle(connection):
        connection.send(greeting if isinstance(greeting, (bytes, str)) else pack(greeting))

    with pytest.raises(error):
        client("openpi", false_websocket(handle).port, map="droid")


def test_a_late_chunk_of_a_stock_server_is_never_executed(false_websocket, client, spec, observation):
    def late(connection):
        time.sleep(1.6)
        return rows(spec, 0.4)

    policy = client("openpi", false_websocket(stock(late, rows(spec, 0.0))).port, map="droid", timeout_s=0.8)
    start = time.monotonic()
    assert failure(policy, observation).code is FailureCode.TIMEOUT
    assert time.monotonic() - start < 1.5
    time.sleep(1.2)
    assert np.allclose(policy.infer(observation, HOME).actions[:, :3], observation["joint_position"])


def test_an_answer_to_nothing_is_never_executed(false_websocket, client, spec, observation):
    def handle(connection):
        connection.send(pack({}))
        for _ in connection:
            connection.send(pack(rows(spec, 0.0)))
            connection.send(pack(rows(spec, 0.4)))  # and one more, which nobody asked for

    policy = client("openpi", false_websocket(handle).port, map="droid")
    policy.infer(observation, HOME)
    time.sleep(0.1)
    assert "nothing that was asked" in failure(policy, observation).detail
    assert np.allclose(policy.infer(observation, HOME).actions[:, :3], observation["joint_position"])


class Halfway:
    """A server that opens a websocket properly, greets, and ends in the middle of its answer's frame."""

    def __init__(self, *, ends, reads=True):
        self._socket, self._ends, self._reads = socket.create_server(("127.0.0.1", 0)), ends, reads
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with self._socket, self._socket.accept()[0] as peer:
            head = peer.recv(65536).decode()
            key = re.search(r"sec-websocket-key: (\S+)", head, re.IGNORECASE)[1]
            accept = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest())
            peer.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n\x82\x01\x80")
            if self._reads:
                peer.recv(65536)
                peer.sendall(b"\x82\x7e\x10\x00" + bytes(100))  # 100 of 4096 bytes
            if not self._ends:
                time.sleep(6)


@pytest.mark.parametrize("ends", [True, False])
def test_a_server_that_stops_in_the_middle_of_a_frame(ends, client, observation):
    policy = client("openpi", Halfway(ends=ends).port, map="droid", timeout_s=0.8)
    start = time.monotonic()
    assert failure(policy, observation).code is FailureCode.TIMEOUT
    assert time.monotonic() - start < 4.0


def test_a_server_that_reads_nothing_holds_nobody_up(client, observation):
    policy = client("openpi", Halfway(ends=False, reads=False).port, map="droid", timeout_s=0.8)
    huge = tuple(replace(key, size=(2400, 2400)) for key in policy.keymap.cameras)  # more than buffers hold
    policy.link._keymap = policy.keymap = replace(policy.keymap, cameras=huge)
    start = time.monotonic()
    assert "cannot send" in failure(policy, observation).detail
    assert time.monotonic() - start < 5.0


# --- our server ---


def theirs(observation):
    """An observation as openpi's DROID client sends it."""
    return {
        "observation/exterior_image_1_left": np.zeros((224, 224, 3), np.uint8),
        "observation/wrist_image_left": np.zeros((224, 224, 3), np.uint8),
        "observation/joint_position": observation["joint_position"],
        "observation/gripper_position": 1 - observation["gripper_opening"], "prompt": "pick up the red cube",
    }


def test_their_client_is_served(ours, spec, observation):
    with connect(f"ws://127.0.0.1:{ours('openpi', map='droid').port}", compression=None) as connection:
        assert type(decode(connection.recv())) is dict
        for turn in range(2):
            connection.send(pack(theirs(observation)))
            answer = decode(connection.recv())
            assert answer["actions"].shape == (3, 4)  # 4 actions at 20 Hz, put on 15 Hz
            assert answer["server_timing"]["infer_ms"] > 0
            assert ("prev_total_ms" in answer["server_timing"]) is bool(turn)
    ends = observation["joint_position"] + np.cumsum(answer["actions"][:, :3], axis=0)[-1] * 0.2
    assert np.allclose(ends, spec.home, atol=1e-6)


@pytest.mark.parametrize("message, words", [
    (b"\xc1", "no msgpack"), ("hello", "binary"), (pack(3), "must be a map"), (pack({}), "missing"),
    (pack({"tandem": 3}), "missing"),
])
def test_an_error_is_a_text_and_the_end(message, words, ours):
    port = ours("openpi", map="droid").port
    with connect(f"ws://127.0.0.1:{port}", compression=None) as connection:
        connection.recv()
        connection.send(message)
        assert words in connection.recv()
        with pytest.raises(ConnectionClosedError) as caught:
            connection.recv()
        assert caught.value.rcvd.code == 1011
    with connect(f"ws://127.0.0.1:{port}", compression=None) as connection:
        assert decode(connection.recv())


def test_health_is_told_to_everybody(ours):
    port = ours("openpi", token="secret").port
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
        assert (answer.status, answer.read()) == (200, b"OK\n")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5)
    assert caught.value.code == 401


def test_a_ping_is_answered_while_the_policy_computes(ours, spec, observation):
    class Slow(DummyPolicy):
        def infer(self, observation, subgoal):
            time.sleep(2.0)
            return super().infer(observation, subgoal)

    port = ours("openpi", policy=Slow(spec), map="droid").port
    with connect(f"ws://127.0.0.1:{port}", compression=None) as connection:
        connection.recv()
        connection.send(pack(theirs(observation)))
        time.sleep(0.2)
        assert connection.ping().wait(1.5)
        assert "actions" in decode(connection.recv())


def test_only_so_many_are_served(ours, monkeypatch):
    monkeypatch.setattr("tandem.policies.remote.openpi_server.MAX_CLIENTS", 1)
    port = ours("openpi").port
    with connect(f"ws://127.0.0.1:{port}") as first:
        first.recv()
        with connect(f"ws://127.0.0.1:{port}") as second, pytest.raises(Exception, match="1013"):
            second.recv()


def test_a_message_that_is_too_large_ends_its_connection_only(ours, monkeypatch, client, observation):
    monkeypatch.setattr("tandem.policies.remote.openpi_server.MAX_FRAME", 100_000)
    port = ours("openpi").port
    with connect(f"ws://127.0.0.1:{port}") as connection:
        connection.recv()
        connection.send(bytes(200_000))
        with pytest.raises(ConnectionClosedError) as caught:
            connection.recv()
        assert caught.value.rcvd.code == 1009
    assert len(client("openpi", port).infer(observation, HOME)) == 4


def test_nobody_is_there(client):
    with pytest.raises(ServerUnresponsive, match="cannot connect"):
        client("openpi", 9, map="droid", timeout_s=0.3)
