"""A body in lockstep behind real sockets: who counts, how old a lease grows, and what comes after a cleared stop."""

import threading
import time
from contextlib import closing, contextmanager

import numpy as np
import pytest
import zmq

from tandem.bridge.client import Contact, Link, LockstepBody
from tandem.bridge.conformance.dummy_body import DummyBody
from tandem.bridge.contract import BodyStopped
from tandem.bridge.controller import lockstep
from tandem.bridge.controller.lockstep_gateway import LockstepGateway
from tandem.bridge.controller.setup import Setup
from tandem.bridge.wire import Message, Refusal, Refused, decode, encode

HOME = np.array([0.4, 0.0, 0.3, 1.0])


@contextmanager
def served(body):
    with LockstepGateway(body, Setup()) as gateway:
        thread = threading.Thread(target=gateway.run)
        thread.start()
        try:
            yield gateway
        finally:
            gateway.shut_down()
            thread.join()


class Plain:
    """A client after PROTOCOL.md alone: it counts the messages of each socket from 1."""

    def __init__(self, gateway):
        self._context, self._session, self._counts = zmq.Context(), "", {"control": 0, "command": 0}
        self._sockets = {name: self._context.socket(zmq.DEALER) for name in self._counts}
        for name, socket in self._sockets.items():
            socket.linger, socket.routing_id = 0, b"plain"  # without keys, who it is on every socket
            socket.connect(f"tcp://127.0.0.1:{gateway.ports[name]}")

    def ask(self, port, kind, epoch=0, lease=0, **fields):
        self._counts[port] += 1
        seq, socket = self._counts[port], self._sockets[port]
        socket.send(encode(Message(kind, {"id": seq, **fields}, self._session, epoch, lease, seq, time.monotonic_ns())))
        assert socket.poll(3000)
        answer = decode(socket.recv(), limit=2**22)
        self._session = answer.session
        return answer

    def close(self):
        self._context.destroy()


def test_commands_are_counted_by_themselves():
    with served(DummyBody()) as gateway, closing(Plain(gateway)) as client:
        client.ask("control", "hello", versions=[1], name="plain", role="")
        for _ in range(3):
            client.ask("control", "ping")
        granted = client.ask("control", "acquire", name="plain", standby=False, force=False)
        ready = client.ask("control", "reset", granted.epoch, granted.lease, options={})
        step = {"names": DummyBody().spec.action.names, "q": HOME}
        assert client.ask("command", "step", ready.epoch, ready.lease, **step).kind == "stepped"
        again = client.ask("control", "reset", ready.epoch, ready.lease, options={})
        assert client.ask("command", "step", again.epoch, again.lease, **step).kind == "stepped"
        client._counts["command"] -= 1
        replayed = client.ask("command", "step", again.epoch, again.lease, **step)
        assert (replayed.kind, replayed["code"]) == ("refused", "REPLAYED")


def test_a_lease_does_not_grow_older_while_the_body_works(monkeypatch):
    class Slow(DummyBody):
        def reset(self, **options):
            time.sleep(0.8)
            return super().reset(**options)

        def step(self, action):
            time.sleep(0.8)
            return super().step(action)

    monkeypatch.setattr(lockstep, "LEASE_S", 0.5)
    with served(Slow()) as gateway, closing(LockstepBody.at(Contact.at(gateway.endpoint))) as body:
        body.reset(seed=1)
        body.step(HOME)
        body.step(HOME)


def test_after_a_cleared_stop_a_reset_begins_anew():
    with (
        served(DummyBody()) as gateway,
        closing(LockstepBody.at(Contact.at(gateway.endpoint))) as body,
        closing(Link(Contact.at(gateway.endpoint), name="person")) as person,
    ):
        body.reset(seed=1)
        fault = person.stop("a hand in the cell")
        with pytest.raises(BodyStopped, match="a hand in the cell"):
            body.step(HOME)
        with pytest.raises(BodyStopped, match=Refusal.FAULTED):
            body.reset(seed=1)
        person.clear(fault)
        body.reset(seed=1)
        body.step(HOME)
        person.release(person.acquire(force=True))
        with pytest.raises(BodyStopped, match=Refusal.STALE_LEASE):
            body.reset(seed=1)
        body.reset(seed=1)
        body.step(HOME)


def test_a_picture_is_of_ones_own_world_or_of_none():
    with (
        served(DummyBody()) as gateway,
        closing(LockstepBody.at(Contact.at(gateway.endpoint))) as body,
        closing(LockstepBody.at(Contact.at(gateway.endpoint), name="other")) as other,
    ):
        key = "image.front"
        mine, _ = body.reset(seed=1)
        assert mine[key].any()
        mine, _ = body.reset(seed=1)
        body.link.release(body._grant)
        theirs, _ = other.reset(seed=2)
        with pytest.raises(BodyStopped, match=Refusal.STALE_EPOCH):
            _ = mine[key]
        body._forget_lease_after(Refused(Refusal.WRONG_SESSION, ""))  # as if the controller had been started again
        with pytest.raises(BodyStopped, match=Refusal.STALE_EPOCH):
            _ = mine[key]
        assert theirs[key].any()
        assert body.link.request_with_data("look", key=key)[1]  # an onlooker names no epoch
