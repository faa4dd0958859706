"""A body in real time behind the bridge keeps the laws of a body, plain and with keys; what ends it is said."""

import os
import re
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest

from tandem.bridge import keys
from tandem.bridge.client import Contact, Link, RemoteBody
from tandem.bridge.client import body as body_module
from tandem.bridge.client import link as link_module
from tandem.bridge.client.clocks import ClockOffset
from tandem.bridge.conformance import check_body, dummy_spec
from tandem.bridge.contract import BodyStopped, BodyUnresponsive, InvalidAction, InvalidOption, SpecMismatch
from tandem.bridge.contract.spec import BodySpec
from tandem.bridge.keys import KeyProblem
from tandem.bridge.roles import Role
from tandem.bridge.security import security_for
from tandem.bridge.wire import Refusal, Refused

LAUNCH = Path(__file__).parents[2] / "launch"


@contextmanager
def controller(*options):
    process = subprocess.Popen(
        [sys.executable, LAUNCH / "controller.py", "--driver", "dummy", "--port", "0", *map(str, options)],
        stdout=subprocess.PIPE, text=True,
    )
    try:
        yield re.search(r"tcp://\S+?(?=,)", process.stdout.readline())[0]
    finally:
        process.terminate()
        assert process.wait() == 0


@pytest.mark.parametrize("guarded", [False, True], ids=["plain", "curve"])
def test_it_keeps_the_laws_of_a_body(guarded, tmp_path):
    folder = tmp_path / "keys" if guarded else None
    if guarded:
        keys.make_pair(folder, keys.CONTROLLER)
        keys.allow(folder, "commander", Role.COMMANDER, keys.make_pair(folder, "commander").public)
    bodies = []
    with controller(*(("--keys", folder) if guarded else ())) as endpoint:

        def make():
            if bodies:
                bodies[-1].close()
            bodies.append(RemoteBody.at(Contact.at(endpoint, keys=folder)))
            return bodies[-1]

        check_body(make, deterministic=False)
        bodies[-1].close()


def test_what_ends_the_right_to_command_is_said_and_nothing_goes_on():
    with controller() as endpoint:
        body = RemoteBody.at(Contact.at(endpoint), name="first")
        home = np.append(body.reset()[0]["joint_position"], 1.0)
        body.step(home)
        person = Link(Contact.at(endpoint), name="person")
        taken = person.acquire(force=True)
        with pytest.raises(BodyStopped, match="lease"):
            body.step(home)
        person.release(taken)
        body.reset()
        number = person.stop("a hand in the cell")
        with pytest.raises(BodyStopped, match="a hand in the cell"):
            for _ in range(5):
                body.step(home)
        with pytest.raises(BodyStopped, match="FAULTED"):
            body.reset()
        person.watcher.wait(lambda state: state["mode"] == "FAULT", 3, "standstill")
        person.clear(number)
        body.reset()
        body.step(home)
        person.close()
        body.close()


def test_a_motion_that_silence_ended_begins_anew_by_a_reset_and_not_before():
    with (
        controller("--limits.lease-s", "5", "--limits.fault-s", "9") as endpoint,
        closing(RemoteBody.at(Contact.at(endpoint))) as body,
    ):
        home = np.append(body.reset()[0]["joint_position"], 1.0)
        body.step(home)
        grant, rows = body._grant, home + np.linspace(0, 0.1, 20)[:, None] * [1, 0, 0, 0]
        body.link.watcher.let_go()  # the network is away
        body.link.send_chunk(grant, rows, t0=body.link.now(), dt_s=0.05, ttl_s=2)
        body.link.watcher.wait(lambda state: state.epoch > grant.epoch, 3, "the stop")
        with pytest.raises(BodyStopped, match="begin with reset"):
            body.step(home)
        with pytest.raises(InvalidAction, match="reset"):
            body.step(home)
        here = np.append(body.reset()[0]["joint_position"], 1.0)
        assert body._grant.token == grant.token
        body.step(here)


def test_a_stop_before_the_first_state_ends_a_reset_at_once(monkeypatch):
    monkeypatch.setattr(body_module, "RESET_S", 3.0)
    with (
        controller() as endpoint,
        closing(RemoteBody.at(Contact.at(endpoint))) as body,
        closing(Link(Contact.at(endpoint), name="person")) as person,
    ):
        request = body.link.request

        def stopped_after(kind, *args, **fields):
            answer = request(kind, *args, **fields)
            if kind == "reset":
                person.stop("a hand in the cell")
                body.link.watcher.wait(lambda state: state["fault"], 3, "the fault")
            return answer

        monkeypatch.setattr(body.link, "request", stopped_after)
        with pytest.raises(BodyStopped, match="a hand in the cell"):
            body.reset()


def test_a_lease_that_expired_between_two_motions_is_said_at_once(monkeypatch):
    monkeypatch.setattr(body_module, "RESET_S", 3.0)
    with controller() as endpoint, closing(RemoteBody.at(Contact.at(endpoint))) as body:
        body.reset()
        body.link.watcher.let_go()  # as if this process had been suspended
        body.link.watcher.wait(lambda state: state["mode"] == "READY", 3, "the lease's end")
        with pytest.raises(BodyStopped, match="STALE_LEASE"):
            body.reset()
        body.reset()


def test_clocks_that_drift_apart_are_measured_anew_and_actions_too_late_are_said():
    with controller() as endpoint, closing(RemoteBody.at(Contact.at(endpoint))) as body:
        measured = body.link.clock.offset
        body.link.clock = ClockOffset(measured + 1_100_000_000, 1)
        home = np.append(body.reset()[0]["joint_position"], 1.0)
        assert abs(body.link.clock.offset - measured) < 50_000_000
        body.step(home)
        body.link.clock = ClockOffset(measured - 400_000_000, 1)
        with pytest.raises(BodyStopped, match=r"EXPIRED: action \d+"):
            for _ in range(8):
                time.sleep(0.15)  # thinks; by this clock no time has passed since the last observation
                body.step(home)  # returns at once, before it is heard that the action came too late
        with pytest.raises(InvalidAction, match="reset"):
            body.step(home)
        body.reset()
        body.step(home)


def test_what_is_heard_before_the_first_observation_stands_at_its_time():
    with controller() as endpoint, closing(RemoteBody.at(Contact.at(endpoint))) as body:
        heard = list[tuple[str, float]]()
        body.link.watcher.on_message = lambda message: heard.append((message.kind, body.time_s(message.t)))
        for _ in range(2):
            home = np.append(body.reset()[0]["joint_position"], 1.0)
            for _ in range(3):
                body.step(home)
            assert 0 < body.time_s(body.link.now()) < 5  # also after the second one: counted from it anew
            body.let_go()
        body.link.watcher.wait(lambda state: state["mode"] == "READY", 3, "the lease's end")
        assert heard
        assert all(0 <= time_s < 5 for _, time_s in heard), heard
        assert heard[0][1] == 0.0


def test_a_standby_commander_inherits_the_lease():
    with controller() as endpoint:
        first = Link(Contact.at(endpoint), name="first")
        grant = first.acquire()
        first.watcher.let_go()  # as if it had died
        second = Link(Contact.at(endpoint), name="second")
        inherited = second.acquire(standby_s=5)
        assert inherited.token > grant.token
        assert inherited.epoch > grant.epoch
        first.close()
        second.close()


def test_a_lease_handed_over_while_the_next_asking_is_on_its_way_is_taken(monkeypatch):
    with (
        controller() as endpoint,
        closing(Link(Contact.at(endpoint), name="first")) as first,
        closing(Link(Contact.at(endpoint), name="second")) as second,
    ):
        grant, request, begin = first.acquire(), second.request, time.monotonic()

        def slow(*args, **fields):
            """The asking of after 0.7 s is sent as soon as the lease of 1 s is handed over."""
            if time.monotonic() - begin > 0.7:
                second.watcher.wait(lambda state: state.lease > grant.token, 3, "the hand-over")
            return request(*args, **fields)

        monkeypatch.setattr(second, "request", slow)
        first.watcher.let_go()
        inherited = second.acquire(standby_s=5)
        assert inherited.token == grant.token + 1
        second.release(inherited)


def test_a_link_that_cannot_watch_closes_what_it_opened(monkeypatch):
    def fails(*_, **__):
        raise KeyError("lease_s")

    monkeypatch.setattr(link_module, "Watcher", fails)
    caught = []

    def connect(endpoint):
        try:
            Link(Contact.at(endpoint))
        except KeyError as reason:
            caught.append(reason)

    with controller() as endpoint:
        thread = threading.Thread(target=connect, args=(endpoint,), daemon=True)  # it would hang
        thread.start()
        thread.join(5)
        assert caught


def test_a_body_that_is_not_the_expected_one_is_refused():
    other = BodySpec.from_dict({**dummy_spec().to_dict(), "control_hz": 10.0})
    with controller() as endpoint, pytest.raises(SpecMismatch, match="control_hz"):
        RemoteBody.at(Contact.at(endpoint), expected=other)


def test_nobody_there_is_said_with_the_remedy():
    with pytest.raises(BodyUnresponsive, match="start the controller"):
        Link(Contact.at("tcp://127.0.0.1:9"), patience_s=0.3)
    for wrong in ("127.0.0.1:7000", "tcp://x", "tcp://x:0", "udp://x:1"):
        with pytest.raises(InvalidOption, match="tcp://HOST:PORT"):
            Contact.at(wrong)


def test_without_keys_only_loopback_is_bound():
    for host in ("127.0.0.1", "localhost", "::1"):
        assert security_for(host, None).name == "plain"
    for host in ("0.0.0.0", "*", "192.168.1.2", "arm.local"):
        with pytest.raises(InvalidOption, match="--keys"):
            security_for(host, None)


def test_secrets_are_for_their_owner_alone(tmp_path):
    pair = keys.make_pair(tmp_path / "keys", "alice")
    assert pair.secret not in repr(pair)
    path = tmp_path / "keys" / "alice.key_secret"
    assert path.stat().st_mode & 0o777 == 0o600
    os.chmod(path, 0o644)
    with pytest.raises(KeyProblem, match="chmod 600"):
        keys.load_pair(tmp_path / "keys", "alice")
    keys.allow(tmp_path / "keys", "alice", Role.OBSERVER, pair.public)
    assert keys.load_allowed(tmp_path / "keys")[pair.public].role is Role.OBSERVER
    keys.revoke(tmp_path / "keys", "alice")
    assert not keys.load_allowed(tmp_path / "keys")


def test_over_ipv6():
    with controller("--bind", "::1") as endpoint:
        assert endpoint.startswith("tcp://[::1]:")
        body = RemoteBody.at(Contact.at(endpoint))
        body.step(np.append(body.reset()[0]["joint_position"], 1.0))
        body.close()


def test_whoever_asks_too_often_is_told_so():
    with controller("--limits.requests-per-s", "50") as endpoint:
        link = Link(Contact.at(endpoint))
        with pytest.raises(Refused) as caught:
            for _ in range(200):
                link.request("status")
        assert caught.value.code is Refusal.BUSY
        link.close()
