"""GR00T's wire: golden requests, N1.5 to N1.7 told apart, servers that lie, and our server under fire."""

import contextlib
import time

import msgpack
import numpy as np
import pytest
import zmq

from tandem.bridge.conformance import DummyPolicy
from tandem.bridge.contract import FailureCode, SkillFailed, SpecMismatch, Subgoal
from tandem.policies.remote import ServerRefused, ServerUnresponsive, Undecodable, remote_policy
from tandem.policies.remote.arrays import Encoding, decode, encode
from tandem.policies.remote.service import same_token

HOME = Subgoal("home")
OK = {"status": "ok", "message": "Server is running"}


def modalities(**names):
    return {kind: {"__ModalityConfig_class__": True, "as_json": {"delta_indices": [0], "modality_keys": keys}}
            for kind, keys in names.items()}


NESTED = modalities(video=["front", "wrist"], state=["single_arm", "gripper"], action=["single_arm", "gripper"],
                    language=["annotation.human.task_description"])


def stock(answer, config=NESTED):
    """A server as NVIDIA's is: ping, keys, reset, and an answer to get_action."""
    def answers(request):
        endpoint = request["endpoint"]
        if endpoint == "get_action":
            return answer(request) if callable(answer) else answer
        return {"ping": OK, "get_modality_config": config, "reset": {}}[endpoint]

    return answers


def chunk(value=0.4, count=3):
    return {"single_arm": np.full((1, count, 3), value, "f4"), "gripper": np.ones((1, count, 1), "f4")}


def failure(policy, observation):
    with pytest.raises(SkillFailed) as caught:
        policy.infer(observation, HOME)
    return caught.value


def test_golden_requests(false_gr00t, client, observation):
    server = false_gr00t(stock([chunk(), {}]))
    policy = client("gr00t", server.port, map="gr00t", token="k")
    policy.infer(observation, HOME)
    assert server.requests[0].pop("api_token") == "k"
    assert encode(server.requests[0], Encoding.GR00T) == b"\x81\xa8endpoint\xa4ping"
    reset = encode(server.requests[2], Encoding.GR00T)
    assert reset == b"\x83\xa8endpoint\xa5reset\xa4data\x81\xa7options\xc0\xa9api_token\xa1k"
    ask = server.requests[3]
    assert ask.keys() == {"endpoint", "data", "api_token"}
    assert ask["data"].keys() == {"observation", "options"}
    assert ask["data"]["options"] is None
    sent = ask["data"]["observation"]
    assert sent.keys() == {"video", "state", "language"}
    assert sent["video"]["front"].shape == (1, 1, 24, 32, 3)
    assert sent["state"]["single_arm"].dtype == np.float32
    assert sent["state"]["single_arm"].shape == (1, 1, 3)
    assert sent["language"] == {"annotation.human.task_description": [["return the arm to its rest pose"]]}


def test_n15_is_told_by_its_keys_and_answers_with_a_map(false_gr00t, client, observation):
    config = {
        kind: {"__ModalityConfig_class__": True, "as_json": msgpack.unpackb(msgpack.packb(text))} for kind, text in {
            "video": '{"delta_indices": [0], "modality_keys": ["video.front", "video.wrist"]}',
            "state": '{"delta_indices": [0], "modality_keys": ["state.single_arm", "state.gripper"]}'}.items()
    }
    flat = {f"action.{name}": array[0] for name, array in chunk().items()}
    server = false_gr00t(stock(flat, config))
    policy = client("gr00t", server.port, map="gr00t")
    assert len(policy.infer(observation, HOME)) == 3
    sent = server.requests[-1]["data"]
    assert sent.keys() == {"video.front", "video.wrist", "state.single_arm", "state.gripper",
                           "annotation.human.task_description"}
    assert sent["video.front"].shape == (1, 24, 32, 3)
    assert "reset" not in [request["endpoint"] for request in server.requests]


@pytest.mark.parametrize("answer, code", [
    ({"error": "CUDA out of memory"}, FailureCode.INTERNAL_ERROR), (b"ERROR", FailureCode.INTERNAL_ERROR),
    (b"\xc1", FailureCode.INVALID_ACTION), (b"", FailureCode.INVALID_ACTION), ([], FailureCode.INVALID_ACTION),
    ([[], {}], FailureCode.INVALID_ACTION), (None, FailureCode.INVALID_ACTION), ([{}, {}], FailureCode.INVALID_ACTION),
    ([{**chunk(), "single_arm": np.full((1, 3, 3), np.nan, "f4")}, {}], FailureCode.INVALID_ACTION),
    ([chunk(1e6), {}], FailureCode.INVALID_ACTION),
    ([{"single_arm": {b"nd": True, b"type": "|O", b"kind": b"O", b"shape": [1], b"data": b"x"}}, {}],
     FailureCode.INVALID_ACTION),
    ([{"single_arm": {b"__ndarray__": True, b"dtype": "<f4", b"shape": [1, 3, 9], b"data": bytes(36)}}, {}],
     FailureCode.INVALID_ACTION),
], ids=str)
def test_an_answer_that_is_no_chunk_moves_nothing(answer, code, false_gr00t, client, observation):
    answers = [answer, [chunk(), {}]]
    server = false_gr00t(stock(lambda request: answers.pop(0)))
    policy = client("gr00t", server.port, map="gr00t")
    assert failure(policy, observation).code is code
    assert len(policy.infer(observation, HOME)) == 3  # and the next request works


@pytest.mark.parametrize("answer", [
    [{**chunk(), "gripper": np.ones((1, 2, 1), "f4")}, {}], [{"single_arm": chunk()["single_arm"]}, {}],
    [{**chunk(), "single_arm": np.zeros((1, 3, 7), "f4")}, {}],
    [{**chunk(), "single_arm": np.zeros((2, 3, 3), "f4")}, {}],
    [{**chunk(), "single_arm": [[0.4] * 3]}, {}],
])
def test_a_server_that_lies_about_shapes_moves_nothing(answer, false_gr00t, client, observation):
    policy = client("gr00t", false_gr00t(stock(answer)).port, map="gr00t")
    with pytest.raises(SpecMismatch):
        policy.infer(observation, HOME)


def test_a_fork_without_keys_and_reset_is_spoken_to(false_gr00t, client, observation):
    def answers(request):
        known = {"ping": OK, "get_action": [chunk(), {}]}
        return known.get(request["endpoint"], {"error": f"Unknown endpoint: {request['endpoint']}"})

    policy = client("gr00t", false_gr00t(answers).port, map="gr00t")
    assert any("tells no keys" in line for line in policy.introduce())
    assert len(policy.infer(observation, HOME)) == 3


@pytest.mark.parametrize("endpoint", ["ping", "get_modality_config", "reset"])
def test_a_handshake_that_is_refused_moves_nothing(endpoint, false_gr00t, client):
    def answers(request):
        if request["endpoint"] == endpoint:
            return {"error": "CUDA error"}
        return stock([chunk(), {}])(request)

    with pytest.raises(ServerRefused, match="CUDA"):
        client("gr00t", false_gr00t(answers).port, map="gr00t")


def test_other_keys_are_refused_at_the_handshake(false_gr00t, client):
    config = {**NESTED, **modalities(video=["ego_view"])}
    with pytest.raises(SpecMismatch, match="ego_view"):
        client("gr00t", false_gr00t(stock([chunk(), {}], config)).port, map="gr00t")


@pytest.mark.parametrize("config", [b"\x80\x80", [1], {"video": 3}, b"\x81\xa5video\xc1"])
def test_a_handshake_of_rubbish(config, false_gr00t, client):
    with contextlib.suppress(Undecodable, ServerRefused):
        client("gr00t", false_gr00t(stock([chunk(), {}], config)).port, map="gr00t")


def test_a_late_answer_of_a_stock_server_is_never_executed(false_gr00t, client, observation):
    answers = [(1.6, 0.7), (0.0, 0.3)]

    def late(request):
        delay, value = answers.pop(0)
        time.sleep(delay)
        return [chunk(value), {}]

    policy = client("gr00t", false_gr00t(stock(late)).port, map="gr00t", timeout_s=0.8)
    start = time.monotonic()
    assert failure(policy, observation).code is FailureCode.TIMEOUT
    assert time.monotonic() - start < 1.5
    time.sleep(1.2)
    assert np.allclose(policy.infer(observation, HOME).actions[:, :3], 0.3)


def test_a_stock_server_that_is_started_again_is_greeted_before_it_drives(false_gr00t, client, observation):
    first = false_gr00t(stock([chunk(0.4), {}]))
    policy = client("gr00t", first.port, map="gr00t")
    policy.infer(observation, HOME)
    first.stop()
    second = false_gr00t(stock([chunk(0.3), {}]), port=first.port)
    time.sleep(0.5)  # ZeroMQ has connected again by itself
    assert failure(policy, observation).code is FailureCode.TIMEOUT
    assert not second.requests
    assert np.allclose(policy.infer(observation, HOME).actions[:, :3], 0.3)
    assert [request["endpoint"] for request in second.requests] == [
        "ping", "get_modality_config", "reset", "get_action"]


def test_a_server_that_changes_while_it_is_asked_is_not_used(false_gr00t, client, observation):
    first = false_gr00t(stock([chunk(0.4), {}]))
    policy = client("gr00t", first.port, map="gr00t", timeout_s=3.0)
    policy.infer(observation, HOME)
    send = policy.link._socket.send

    def late(frame):
        first.stop()
        false_gr00t(stock([chunk(0.3), {}]), port=first.port)
        time.sleep(0.5)
        return send(frame)

    policy.link._socket.__dict__["send"] = late
    assert failure(policy, observation).code is FailureCode.TIMEOUT


def test_an_address_of_the_sixth_version_is_reached(ours, spec, observation):
    server = ours("gr00t", host="::1")
    policy = remote_policy(f"gr00t:tcp://[::1]:{server.port}#tandem", spec, timeout_s=2.0)
    assert len(policy.infer(observation, HOME)) == 4
    policy.close()


def test_an_echo_of_something_else_is_not_used(false_gr00t, client, spec, observation):
    from tandem.policies.remote import key_map
    from tandem.policies.remote.mapping import fingerprint

    about = {**fingerprint(key_map("gr00t", spec), spec), "session": "a"}
    echoes = [{"session": "a", "epoch": 0, "request_id": 99}, {"session": "b", "epoch": 0, "request_id": 2}, None]

    def answers(request):
        if request["endpoint"] == "ping":
            return {**OK, "tandem": about}
        echo = echoes[0] if echoes else None
        if request["endpoint"] == "get_action":
            echo = echoes.pop(0) or {"session": "a", "epoch": request["epoch"], "request_id": request["request_id"]}
        return stock([chunk(), {"tandem": echo}])(request)

    policy = client("gr00t", false_gr00t(answers).port, map="gr00t")
    for _ in range(2):
        assert "not used" in failure(policy, observation).detail
    assert len(policy.infer(observation, HOME)) == 3


# --- our server ---


def request(port, value, *, raw=False, within_s=4.0):
    with zmq.Context.instance().socket(zmq.REQ) as socket:
        socket.linger, socket.rcvtimeo = 0, round(within_s * 1000)
        socket.connect(f"tcp://127.0.0.1:{port}")
        socket.send(value if raw else encode(value, Encoding.GR00T))
        return decode(socket.recv())


def test_golden_answers(ours):
    server = ours("gr00t", map="gr00t")
    pong = request(server.port, bytes.fromhex("81a8656e64706f696e74a470696e67"), raw=True)
    assert {name: pong[name] for name in OK} == OK
    told = request(server.port, {"endpoint": "get_modality_config"})
    assert told["video"]["modality_keys"] == ["front", "wrist"]
    assert told["action"]["modality_keys"] == ["single_arm", "gripper"]
    assert request(server.port, {"endpoint": "reset", "data": {"options": None}})["status"] == "ok"


def theirs(observation, **state):
    """An observation as NVIDIA's client sends it."""
    numbers = {"single_arm": observation["joint_position"], "gripper": observation["gripper_opening"], **state}
    return {
        "video": {name: observation[f"image.{name}"][None, None] for name in ("front", "wrist")},
        "state": {name: np.asarray(value, "f4")[None, None] for name, value in numbers.items()},
        "language": {"annotation.human.task_description": [["pick up the red cube"]]},
    }


def test_their_client_is_served(ours, spec, observation):
    port = ours("gr00t", map="gr00t").port
    data = {"observation": theirs(observation), "options": None}
    action, info = request(port, {"endpoint": "get_action", "data": data})
    assert action["single_arm"].shape == (1, 4, 3)
    assert action["single_arm"].dtype == np.float32
    assert action["gripper"].shape == (1, 4, 1)
    assert type(info) is dict
    assert np.allclose(action["single_arm"][0, -1], spec.home, atol=1e-6)


def test_their_n15_client_is_served(ours, observation):
    nested = theirs(observation)
    data = {f"{kind}.{name}": array[0] for kind in ("video", "state") for name, array in nested[kind].items()}
    data["annotation.human.task_description"] = ["pick up the red cube"]
    answer = request(ours("gr00t", map="gr00t").port, {"endpoint": "get_action", "data": data})
    assert answer["action.single_arm"].shape == (4, 3)


@pytest.mark.parametrize("epoch", [[1], {"a": 1}, "1", np.ones(2)], ids=str)
def test_an_epoch_that_is_no_number_is_refused(epoch, ours, observation):
    data = {"observation": theirs(observation), "options": None}
    port = ours("gr00t", map="gr00t").port
    for endpoint in ("get_action", "reset"):
        answer = request(port, {"endpoint": endpoint, "data": data, "epoch": epoch})
        assert "epoch must be a whole number" in answer["error"]


@pytest.mark.parametrize("given", ["sécret", "secret\udc80", 3, None, b"secret", ["secret"]], ids=ascii)
def test_only_the_very_token_is_the_token(given):
    assert same_token("secret", "secret")
    assert not same_token(given, "secret")


@pytest.mark.parametrize("broken, words", [
    (b"\xc1junk", "no msgpack"), (b"", "no msgpack"), (b"\x01", "endpoint"),
    ({"endpoint": "dance"}, "Unknown endpoint"), ({"endpoint": ["ping"]}, "Unknown endpoint"), ({}, "missing"),
    ({"endpoint": "get_action"}, "missing"), ({"endpoint": "get_action", "data": 3}, "must be a map"),
    ({"endpoint": "get_action", "data": {"observation": 3}}, "must be a map"),
    ({"endpoint": "get_action", "data": {"observation": {}, "options": None, "session": 1}}, "session"),
    ({"endpoint": "kill"}, "token"),
], ids=str)
def test_each_broken_request_gets_its_answer_and_the_next_one_works(broken, words, ours):
    port = ours("gr00t", map="gr00t").port
    assert words in request(port, broken, raw=isinstance(broken, bytes))["error"]
    assert request(port, {"endpoint": "ping"})["status"] == "ok"


@pytest.mark.parametrize("state, words", [
    ({"single_arm": np.full(3, np.nan)}, "NaN"), ({"single_arm": np.zeros(7)}, "shape"),
    ({"gripper": np.zeros(2)}, "shape"),
])
def test_a_broken_observation_gets_its_answer(state, words, ours, observation):
    data = {"observation": theirs(observation, **state), "options": None}
    error = request(ours("gr00t", map="gr00t").port, {"endpoint": "get_action", "data": data})["error"]
    assert error.startswith("INVALID_OBSERVATION")
    assert words in error


def test_a_ping_is_answered_while_the_policy_computes(ours, spec, observation):
    class Slow(DummyPolicy):
        def infer(self, observation, subgoal):
            time.sleep(2.0)
            return super().infer(observation, subgoal)

    port = ours("gr00t", policy=Slow(spec), map="gr00t").port
    with zmq.Context.instance().socket(zmq.REQ) as socket:
        socket.linger, socket.rcvtimeo = 0, 6000
        socket.connect(f"tcp://127.0.0.1:{port}")
        data = {"observation": theirs(observation), "options": None}
        socket.send(encode({"endpoint": "get_action", "data": data}, Encoding.GR00T))
        time.sleep(0.2)
        start = time.monotonic()
        assert request(port, {"endpoint": "ping"})["status"] == "ok"
        assert time.monotonic() - start < 1.5
        assert isinstance(decode(socket.recv()), list)


def test_only_the_token_kills(ours):
    server = ours("gr00t", token="secret")
    for token in (None, "wrong", 3, b"secret"):
        answer = request(server.port, {"endpoint": "kill", "api_token": token})
        assert answer == {"error": "Unauthorized: Invalid API token"}
    assert request(server.port, {"endpoint": "ping", "api_token": "secret"})["status"] == "ok"
    assert request(server.port, {"endpoint": "kill", "api_token": "secret"}) is None
    time.sleep(0.3)
    with pytest.raises(zmq.Again):
        request(server.port, {"endpoint": "ping", "api_token": "secret"}, within_s=0.5)


def test_a_message_that_is_too_large_is_not_read(ours, monkeypatch):
    monkeypatch.setattr("tandem.policies.remote.gr00t_server.MAX_FRAME", 1000)
    server = ours("gr00t")
    with pytest.raises(zmq.Again):
        request(server.port, bytes(5000), raw=True, within_s=0.5)
    assert request(server.port, {"endpoint": "ping"})["status"] == "ok"


def test_nobody_answers_at_all(client):
    with pytest.raises(ServerUnresponsive, match="no answer within"):
        client("gr00t", 9, map="gr00t", timeout_s=0.2)
