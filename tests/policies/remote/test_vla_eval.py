"""vla-eval's wire: hello on both sides, numbered answers, and what a server must not get away with."""

import time

import numpy as np
import pytest

from tandem.bridge.contract import FailureCode, SkillFailed, SpecMismatch, Subgoal
from tandem.policies.remote import Undecodable
from tandem.policies.remote.arrays import decode
from tandem.policies.remote.vla_eval import envelope

HOME = Subgoal("home")
MINE = """
prompt = "task_description"
cameras = [{ ours = "front", theirs = "images.agentview", size = [64, 64] }]
state = [{ theirs = "states", slots = ["joint_position", "gripper_opening"] }]
action = [{ theirs = "actions", slots = ["joint_position", "gripper_opening"] }]
"""


@pytest.fixture
def mine(tmp_path):
    (tmp_path / "mine.toml").write_text(MINE)
    return str(tmp_path / "mine.toml")


def model(answer, hello=None, seen=None):
    """A model server: `answer` gets the message and gives what is sent."""
    def handle(connection):
        for frame in connection:
            message = decode(frame)
            if seen is not None:
                seen.append(message)
            if message["type"] == "hello":
                connection.send(envelope("hello", hello or {"protocol_version": 1, "model": "test"}, 0))
            elif message["type"] == "observation":
                connection.send(answer(message))

    return handle


def act(message, value=0.4, seq=None):
    return envelope("action", {"actions": np.array([value, 0.0, 0.3, 1.0])}, message["seq"] if seq is None else seq)


def failure(policy, observation):
    with pytest.raises(SkillFailed) as caught:
        policy.infer(observation, HOME)
    return caught.value


def test_an_episode(false_websocket, client, mine, observation):
    seen = []
    policy = client("vla-eval", false_websocket(model(act, seen=seen)).port, map=mine)
    policy.reset(1)
    chunk = policy.infer(observation, HOME)
    assert np.allclose(chunk.actions, [[0.4, 0, 0.3, 1.0]])
    kinds = [message["type"] for message in seen]
    assert kinds == ["hello", "episode_start", "episode_start", "observation"]
    assert [message["seq"] for message in seen] == [1, 2, 3, 4]
    assert seen[0]["payload"]["protocol_version"] == 1
    assert seen[-1]["payload"]["images"]["agentview"].shape == (64, 64, 3)
    assert seen[-1]["payload"]["task_description"] == "return the arm to its rest pose"


@pytest.mark.parametrize("answer, code", [
    (lambda m: act(m, seq=m["seq"] - 1), FailureCode.TIMEOUT), (lambda m: b"\xc1", FailureCode.INVALID_ACTION),
    (lambda m: "text", FailureCode.INVALID_ACTION), (lambda m: act(m, np.nan), FailureCode.INVALID_ACTION),
    (lambda m: envelope("hello", {}, m["seq"]), FailureCode.INVALID_ACTION),
    (lambda m: envelope("error", {"message": "no GPU"}, m["seq"]), FailureCode.INTERNAL_ERROR),
])
def test_an_answer_that_is_no_chunk_moves_nothing(answer, code, false_websocket, client, mine, observation):
    answers = [answer, act]
    policy = client("vla-eval", false_websocket(model(lambda m: answers.pop(0)(m))).port, map=mine)
    assert failure(policy, observation).code is code
    assert len(policy.infer(observation, HOME)) == 1


def test_a_late_action_is_never_executed(false_websocket, client, mine, observation):
    delays = [1.6, 0.0]

    def late(message):
        time.sleep(delays[0])
        return act(message, 0.4 + delays.pop(0) / 10)

    policy = client("vla-eval", false_websocket(model(late)).port, map=mine, timeout_s=0.8)
    assert failure(policy, observation).code is FailureCode.TIMEOUT
    time.sleep(1.2)
    assert policy.infer(observation, HOME).actions[0, 0] == 0.4


def test_another_version_of_the_protocol(false_websocket, client, mine):
    with pytest.raises(SpecMismatch, match="protocol"):
        client("vla-eval", false_websocket(model(act, hello={"protocol_version": 2})).port, map=mine)


def test_a_server_that_says_no_hello(false_websocket, client, mine):
    def handle(connection):
        connection.recv()
        connection.send(envelope("action", {}, 1))

    with pytest.raises(Undecodable, match="hello was due"):
        client("vla-eval", false_websocket(handle).port, map=mine)
