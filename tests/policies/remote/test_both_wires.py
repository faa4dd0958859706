"""Our client against our server, over real sockets, on either wire: the contract, and what it must not do."""

import socket
import threading
import time

import numpy as np
import pytest

from tandem.bridge.conformance import DummyBody, DummyPolicy, check_policy
from tandem.bridge.contract import (
    FailureCode,
    InvalidOption,
    SkillFailed,
    SpecMismatch,
    Subgoal,
    UnknownName,
    skill_named,
)
from tandem.policies.executors import executor_named
from tandem.policies.remote import ServerRefused, ServerUnresponsive

HOME, PICK = Subgoal("home"), Subgoal("pick", {"object": "red cube"})
pytestmark = pytest.mark.parametrize("wire", ["gr00t", "openpi"])


class Watched(DummyPolicy):
    """Remembers what it was asked, and does what it is told to do first."""

    def __init__(self, spec, before=lambda: None, **options):
        self.asked, self.resets, self._before = [], [], before
        super().__init__(spec, **options)

    def reset(self, epoch):
        self.resets.append(epoch)
        super().reset(epoch)

    def infer(self, observation, subgoal):
        self.asked.append((observation, subgoal))
        self._before()
        return super().infer(observation, subgoal)


def failure(policy, observation, subgoal=HOME):
    with pytest.raises(SkillFailed) as caught:
        policy.infer(observation, subgoal)
    return caught.value


def test_it_keeps_the_contract(wire, ours, client, spec, observation):
    port = ours(wire).port
    check_policy(lambda: client(wire, port), spec, observation, [HOME, PICK])


def test_it_gives_the_chunk_that_the_policy_gives_here(wire, ours, client, spec, observation):
    served, here = Watched(spec), DummyPolicy(spec)
    there = client(wire, ours(wire, policy=served).port)
    for _ in range(3):
        one, other = there.infer(observation, PICK), here.infer(observation, PICK)
        assert np.array_equal(one.actions, other.actions)
        for name in ("final", "phase", "t0_s", "dt_s", "request_id"):
            assert getattr(one, name) == getattr(other, name)
    seen, subgoal = served.asked[0]
    assert subgoal.arguments == PICK.arguments
    assert all(np.array_equal(seen[key], observation[key]) for key in observation)


def test_a_reset_is_acknowledged_before_the_epochs_first_chunk(wire, ours, client, spec, observation):
    served = Watched(spec)
    policy = client(wire, ours(wire, policy=served).port)
    for epoch in (4, 5):
        policy.reset(epoch)
        resets = len(served.resets)
        assert policy.infer(observation, HOME).epoch == epoch
        assert len(served.resets) > resets
        assert policy.infer(observation, HOME).request_id == 1


def test_the_policy_is_told_of_another_episode_by_an_epoch_that_goes_back(wire, ours, client, spec, observation):
    served = Watched(spec)
    policy = client(wire, ours(wire, policy=served).port)
    told = []
    for epoch in (1, 2, 3, 1, 2):
        policy.reset(epoch)
        policy.infer(observation, HOME)
        told.append(served.resets[:])
        served.resets.clear()
    assert [0 in resets for resets in told] == [True, False, False, True, False]


def test_another_subgoal_without_a_word_of_reset_is_begun_anew(wire, ours, client, spec, observation):
    served = Watched(spec, chunks=2)
    policy = client(wire, ours(wire, policy=served).port)
    finals = [policy.infer(observation, subgoal).final for subgoal in (PICK, HOME, HOME, PICK)]
    assert finals == [False, False, True, False]  # each of its own two chunks
    assert served.resets[-3:] == [1, 2, 3]  # and of one episode, whose memory stays


def test_two_clients_never_share_a_memory(wire, ours, client, spec, observation):
    served = Watched(spec, chunks=2)
    port = ours(wire, policy=served).port
    one, two = client(wire, port), client(wire, port)
    assert not one.infer(observation, HOME).final
    assert not two.infer(observation, HOME).final  # the second chunk of one memory would have been final
    assert two.infer(observation, HOME).final


def test_the_same_keys_as_their_clients_send(wire, ours, client, spec, observation):
    policy = client(wire, ours(wire, map="gr00t").port, map="gr00t")
    chunk = policy.infer(observation, HOME)
    assert np.allclose(chunk.actions, DummyPolicy(spec).infer(observation, HOME).actions, atol=1e-6)


def test_another_rate_ends_where_the_policy_ends(wire, ours, client, spec, observation):
    policy = client(wire, ours(wire, policy=DummyPolicy(spec, chunks=1, horizon=5), map="droid").port, map="droid")
    chunk = policy.infer(observation, HOME)
    assert chunk.final
    assert chunk.dt_s == spec.dt_s
    assert np.allclose(chunk.actions[-1, :3], spec.home, atol=1e-6)
    assert np.allclose(chunk.actions[0], DummyPolicy(spec, horizon=5).infer(observation, HOME).actions[0], atol=1e-6)


def test_another_key_map_is_refused_before_anything_moves(wire, ours, client):
    port = ours(wire, map="gr00t").port
    with pytest.raises(SpecMismatch):
        client(wire, port, map="tandem")


def test_a_skill_that_was_not_declared_is_not_asked_for(wire, ours, client, observation):
    policy = client(wire, ours(wire).port, skills={"home": skill_named("home")})
    with pytest.raises(UnknownName):
        policy.infer(observation, PICK)
    assert set(policy.skills) == {"home"}


def test_a_failure_keeps_its_code(wire, ours, client, spec, observation):
    def fail():
        raise SkillFailed(FailureCode.OBJECT_NOT_FOUND, "there is no red cube")

    policy = client(wire, ours(wire, policy=Watched(spec, fail)).port)
    found = failure(policy, observation)
    assert (found.code, found.detail) == (FailureCode.OBJECT_NOT_FOUND, "there is no red cube")


def test_a_mistake_of_the_server_tells_no_paths_and_the_next_request_works(wire, ours, client, spec, observation):
    broken = [ZeroDivisionError("/secret/path")]

    def fail():
        if broken:
            raise broken.pop()

    policy = client(wire, ours(wire, policy=Watched(spec, fail)).port)
    found = failure(policy, observation)
    assert found.code is FailureCode.INTERNAL_ERROR
    assert "ZeroDivisionError" in found.detail
    assert "secret" not in found.detail
    assert len(policy.infer(observation, HOME)) == 4


def test_a_late_chunk_is_never_executed(wire, ours, client, spec, observation):
    slow = [1.6]
    served = Watched(spec, lambda: time.sleep(slow.pop() if slow else 0.0), chunks=3)
    policy = client(wire, ours(wire, policy=served).port, timeout_s=0.8)
    assert failure(policy, observation).code is FailureCode.TIMEOUT
    time.sleep(1.4)  # the late chunk has been sent by now
    chunk = policy.infer({**observation, "time": np.array([1.0])}, HOME)
    assert chunk.t0_s == 1.0
    assert served.asked[-1][0]["time"] == 1.0
    assert not chunk.final  # of a policy that was reset: the late chunk's memory is gone, too


def test_the_time_of_a_subgoal_ends(wire, ours, client, observation):
    policy = client(wire, ours(wire).port)
    short = Subgoal("home", timeout_s=1.0)
    policy.infer(observation, short)
    assert failure(policy, {**observation, "time": np.array([1.5])}, short).code is FailureCode.TIMEOUT


def test_a_server_that_is_started_again_is_greeted_again(wire, ours, client, spec, observation):
    first = ours(wire)
    policy = client(wire, first.port, timeout_s=1.0)
    policy.infer(observation, HOME)
    first.stop()
    deadline = time.monotonic() + 5
    while not free(first.port) and time.monotonic() < deadline:
        time.sleep(0.02)
    served = Watched(spec)
    ours(wire, policy=served, port=first.port)
    assert failure(policy, observation).code is FailureCode.TIMEOUT  # finds that the old session has ended
    assert len(policy.infer(observation, HOME)) == 4
    assert policy.told.tandem["session"]
    assert len(served.resets) >= 2


def free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def test_another_robots_policy_after_a_restart_moves_nothing(wire, ours, client, observation):
    first = ours(wire)
    policy = client(wire, first.port, timeout_s=1.0)
    first.stop()
    deadline = time.monotonic() + 5
    while not free(first.port) and time.monotonic() < deadline:
        time.sleep(0.02)
    ours(wire, map="gr00t", port=first.port)
    policy.close()
    with pytest.raises(SpecMismatch):
        policy.infer(observation, HOME)


def test_nobody_is_there(wire, client, spec):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        with pytest.raises(ServerUnresponsive):
            client(wire, probe.getsockname()[1], timeout_s=0.3)


def test_a_server_that_accepts_and_says_nothing(wire, client):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        start = time.monotonic()
        with pytest.raises(ServerUnresponsive):
            client(wire, mute.getsockname()[1], timeout_s=0.3)
        assert time.monotonic() - start < 6.0


@pytest.mark.parametrize("token", [None, "", "wrong", "secre", "secrets"])
def test_a_wrong_token_is_refused(wire, token, ours, client):
    port = ours(wire, token="secret").port
    with pytest.raises((ServerRefused, ServerUnresponsive), match=r"Unauthorized|401"):
        client(wire, port, token=token)


def test_the_right_token_is_let_in(wire, ours, client, observation):
    assert len(client(wire, ours(wire, token="secret").port, token="secret").infer(observation, HOME)) == 4


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_nobody_else_is_let_in_without_a_token(wire, host, ours):
    with pytest.raises(InvalidOption, match="token"):
        ours(wire, host=host)
    with pytest.raises(InvalidOption, match="token"):
        ours(wire, host=host, token="")


def test_an_address_that_is_taken_is_named(wire, ours):
    port = ours(wire).port
    with pytest.raises(InvalidOption, match=str(port)):
        ours(wire, port=port)


def test_chunks_of_one_length(wire, ours, client, spec, observation):
    policy = client(wire, ours(wire, policy=DummyPolicy(spec, chunks=1), horizon=6).port)
    chunk = policy.infer(observation, HOME)
    assert len(chunk) == 6
    assert np.array_equal(chunk.actions[3], chunk.actions[5])
    assert chunk.final
    short = client(wire, ours(wire, policy=DummyPolicy(spec, chunks=1), horizon=2).port).infer(observation, HOME)
    assert (len(short), short.final) == (2, False)


def test_a_chunk_of_which_only_a_part_is_carried_out_ends_nothing(wire, ours, client, spec, observation):
    whole = DummyPolicy(spec, chunks=1, horizon=30)
    policy = client(wire, ours(wire, policy=whole, map="droid").port, map="droid")  # 8 of 22 are carried out
    chunk = policy.infer(observation, HOME)
    assert np.abs(chunk.actions[-1, :3] - spec.home).max() > 1e-3
    assert not chunk.final


def test_what_cannot_be_served_is_refused_at_the_start(wire, ours):
    with pytest.raises(InvalidOption, match="tool"):
        ours(wire, map="libero")
    with pytest.raises(UnknownName):
        ours(wire, skill="juggle")
    with pytest.raises(InvalidOption):
        ours(wire, horizon=0)


def test_an_observation_that_is_not_whole_moves_nothing(wire, ours, client, spec, observation):
    served = Watched(spec)
    policy = client(wire, ours(wire, policy=served).port)
    link_ask = policy.link.ask

    def without_picture(question, epoch, request_id):
        del question.pictures["image/front"]
        return link_ask(question, epoch, request_id)

    policy.link.ask = without_picture
    assert failure(policy, observation).code is FailureCode.INVALID_OBSERVATION
    assert not served.asked


def test_the_next_episode_waits_for_what_the_last_one_still_asks(wire, ours, client, spec, observation):
    class Live:
        real_time = True

        def charge_s(self, wall_s):
            return wall_s

    slow = [1.0]
    served = Watched(spec, lambda: time.sleep(slow.pop() if slow else 0.0))
    policy = client(wire, ours(wire, policy=served).port, timeout_s=4.0)
    for _ in range(2):  # an executor for each episode, one policy for both; the first ends before any answer
        body, executor = DummyBody(spec), executor_named("async").around(policy, spec, Live())
        observation, _ = body.reset(seed=1)
        executor.reset(1)
        chunk = executor.infer(observation, HOME)
    for _ in range(100):
        time.sleep(spec.dt_s)
        chunk = executor.infer(observation, HOME)
        observation, *_ = body.step(chunk.actions[0])
        if chunk.final:
            break
    assert chunk.final
    assert len(served.asked) >= 2


def test_a_thread_that_computes_holds_no_other_client_up_for_ever(wire, ours, client, spec, observation):
    gate = threading.Event()
    served = Watched(spec, lambda: gate.wait(5.0))
    port = ours(wire, policy=served).port
    waiting = client(wire, port, timeout_s=0.8)
    assert failure(waiting, observation).code is FailureCode.TIMEOUT
    gate.set()
    assert len(client(wire, port).infer(observation, HOME)) == 4
