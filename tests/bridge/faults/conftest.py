"""Pairs of real sockets with a proxy between them."""

import time

import pytest
import zmq

from tandem.bridge.faults import Decisions, Direction, FaultProxy, faults_named

PATIENCE_S = 8.0
KINDS = {"command": (zmq.ROUTER, zmq.DEALER), "state": (zmq.PUB, zmq.SUB)}


class Wire:
    """A server, a client, and the proxy between them; `name` is that of the port, which decides on the sockets."""

    def __init__(self, name="command", faults="", *, seed=0, curve=False, **options):
        self.name, self.words, self.seed = name, faults, seed
        self.context = zmq.Context()
        self.server, self.client = (self.context.socket(kind) for kind in KINDS[name])
        for end in (self.server, self.client):
            end.linger, end.reconnect_ivl = 0, 20
        if curve:
            self._curve()
        self.upstream = self.server.bind_to_random_port("tcp://127.0.0.1")
        self.proxy = FaultProxy("127.0.0.1", {name: self.upstream}, faults_named(faults), seed, **options)
        self.proxy.start()
        self.route = None
        self._connect()

    def _curve(self):
        public, secret = zmq.curve_keypair()
        self.server.curve_server = True
        self.server.curve_publickey, self.server.curve_secretkey = public, secret
        self.client.curve_publickey, self.client.curve_secretkey = zmq.curve_keypair()
        self.client.curve_serverkey = public

    @property
    def endpoint(self):
        return f"tcp://127.0.0.1:{self.proxy.ports[self.name]}"

    def _connect(self):
        if self.name == "state":
            self.client.subscribe(b"")
        self.client.connect(self.endpoint)

    def counts(self, direction):
        return self.proxy.counts[self.name, direction]

    def up(self, *frames):
        """From the client to the server."""
        self.client.send_multipart(frames)

    def at_server(self, count, patience_s=PATIENCE_S):
        """The next messages at the ROUTER; who sent the last is kept in `route`."""
        found = []
        for frames in received(self.server, count, patience_s):
            self.route = frames[0]
            found.append(frames[1:])
        return found

    def down(self, *frames):
        """From the ROUTER to the client heard last, or from the PUB."""
        self.server.send_multipart([self.route, *frames] if self.name == "command" else frames)

    def at_client(self, count, patience_s=PATIENCE_S):
        return received(self.client, count, patience_s)

    def join(self):
        """Until a SUB is known to its PUB: until something arrives. Returns how many messages that took."""
        end = time.monotonic() + PATIENCE_S
        for tries in range(1, 10_000):
            assert time.monotonic() < end, "the subscriber never heard anything"
            self.server.send(b"anybody there?")
            if self.client.poll(20):
                while self.client.poll(50):
                    self.client.recv_multipart()
                return tries
        raise AssertionError("unreachable")

    def decisions(self, direction, count, connection=0):
        """What the proxy decides about the first messages."""
        source = Decisions(faults_named(self.words), self.seed, self.name, connection, Direction(direction))
        return [source.decide() for _ in range(count)]

    def close(self):
        self.proxy.stop()
        self.server.close()
        self.client.close()
        self.context.term()


def received(socket, count, patience_s=PATIENCE_S):
    """So many messages, or as many as come in time."""
    found, end = [], time.monotonic() + patience_s
    while len(found) < count and time.monotonic() < end:
        if socket.poll(20):
            found.append(socket.recv_multipart())
    return found


def until(holds, patience_s=PATIENCE_S):
    """Whether something holds before long."""
    end = time.monotonic() + patience_s
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


@pytest.fixture
def wire():
    made = []

    def make(*args, **options):
        made.append(Wire(*args, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture(scope="session", name="until")
def _until():
    return until
