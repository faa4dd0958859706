"""The process in front: five sockets, authenticated peers, and frames carried to the servo and back.

It decides nothing about motion. If it dies, the servo hears nobody any more and stops the arm by itself.
"""

from __future__ import annotations

import logging
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import zmq

from tandem.bridge.contract.errors import BodyUnresponsive
from tandem.bridge.controller.doorman import Doorman, Rate, Tap, no_tap
from tandem.bridge.controller.media import MediaRelay
from tandem.bridge.controller.outbox import Outbox
from tandem.bridge.controller.ports import bind
from tandem.bridge.controller.servant import ServoProcess
from tandem.bridge.controller.setup import Setup
from tandem.bridge.controller.traffic import Incoming, Outgoing
from tandem.bridge.security import Security, security_for
from tandem.bridge.wire.codec import decode
from tandem.bridge.wire.frames import NOW, NOW_MORE, send
from tandem.bridge.wire.kinds import Port
from tandem.bridge.wire.refusal import Refused

log = logging.getLogger(__name__)
POLL_MS = 100
START_S = 90.0  # longer than any driver of ours is patient (sim: 60 s): it knows better what is missing


class Gateway:
    """See the module. Use it as a context manager, and `run` it.

    Args:
        setup: how.
        tap: sees every frame, both ways.
        journal: gets what the core was told and said, a turn at a time; None for none.

    Attributes:
        session: of this start.
        ports: TCP port of each socket.

    Raises:
        InvalidOption: plain on an address that others can reach; an address that is taken.
        KeyProblem: a key is missing or damaged.
    """

    def __init__(self, setup: Setup, tap: Tap = no_tap, journal: Callable[[bytes], None] | None = None):
        self._setup, self._tap = setup, tap
        self._security: Security = security_for(setup.address.host, setup.keys, setup.loopback_role)
        self.session = secrets.token_hex(8)
        self._context = zmq.Context()
        self._security.guard(self._context)
        self._sockets: dict[Port, zmq.Socket] = {}
        self.ports: dict[Port, int] = {}
        try:
            for port in Port:
                self._sockets[port], self.ports[port] = bind(self._context, port, setup.address, self._security)
        except BaseException:
            self._close_sockets()
            raise
        self._folder = tempfile.mkdtemp(prefix="tandem-")  # mode 0700
        rate = Rate(setup.limits.requests_per_s)
        outbox = Outbox(self.session, lambda: (0, 0))
        self._doors = {port: Doorman(port, self._sockets[port], self._security, outbox, rate, tap)
                       for port in (Port.CONTROL, Port.COMMAND)}
        self._stop_door = Doorman(
            Port.STOP, self._sockets[Port.STOP], self._security, Outbox(self.session, lambda: (0, 0)),
            Rate(setup.limits.requests_per_s), tap,
        )
        self._media = MediaRelay(self._context, f"ipc://{self._folder}/media", self._sockets[Port.MEDIA], tap)
        self._servo = ServoProcess(self._context, self._folder, self._order(), journal)
        self._over = threading.Event()
        self._stopper = threading.Thread(target=self._serve_stops, name="stops", daemon=True)
        self._stopper.start()

    def _order(self) -> dict[str, Any]:
        setup = self._setup
        hello = {"ports": {str(port): number for port, number in self.ports.items()}, "security": self._security.name}
        return {
            "driver": setup.driver, "options": setup.options, "media": self._media.endpoint,
            "limits": asdict(setup.limits), "session": self.session, "hello": hello,
            "collisions": setup.collisions, "realtime": setup.realtime,
        }

    @property
    def endpoint(self) -> str:
        """What a client is given."""
        return f"tcp://{self._setup.address.reachable}:{self.ports[Port.CONTROL]}"

    @property
    def servo_pid(self) -> int:
        """Of the servo process."""
        return self._servo.pid

    def wait_ready(self) -> bool:
        """Until the servo turns; False when `shut_down` was called before.

        Raises:
            BodyUnresponsive: the servo process ended, having said why on its stderr, or is not ready for too long.
        """
        end = time.monotonic() + START_S
        while not self._servo.pipe.poll(POLL_MS):
            if self._over.is_set():
                return False
            if (status := self._servo.ended()) is not None:
                raise BodyUnresponsive(f"the servo process ended with status {status}; it says why above")
            if time.monotonic() > end:
                raise BodyUnresponsive(f"the driver was not ready within {START_S:g} s")
        return True

    def run(self) -> None:
        """Carry frames until `close`. Raises `BodyUnresponsive` when the servo process has ended."""
        poller = zmq.Poller()
        poller.register(self._servo.pipe, zmq.POLLIN)
        for door in self._doors.values():
            poller.register(door.socket, zmq.POLLIN)
        while not self._over.is_set():
            ready = dict(poller.poll(POLL_MS))
            for door in self._doors.values():
                if door.socket in ready:
                    self._let_in(door)
            if self._servo.pipe in ready:
                for outgoing in self._servo.collect():
                    self._let_out(outgoing)
            elif (status := self._servo.ended()) is not None and not self._over.is_set():
                raise BodyUnresponsive(f"the servo process ended with status {status}; the arm has stopped by itself")

    def _let_in(self, door: Doorman) -> None:
        for incoming in door.arrivals():
            if not self._answer_ping(door, incoming) and not self._servo.forward(incoming):
                door.busy(incoming)

    def _answer_ping(self, door: Doorman, incoming: Incoming) -> bool:
        """A ping is about the network and this process, and is answered here, on the same clock as the servo's."""
        if door.port is not Port.CONTROL or b"\xa4ping" not in incoming.frame[:40]:
            return False
        received = time.monotonic_ns()
        try:
            message = decode(incoming.frame)
        except Refused:
            return False
        if message.kind != "ping":
            return False
        outbox = Outbox(self.session, lambda: (0, 0))
        outbox.send(Port.CONTROL, incoming.route, "pong", time.monotonic_ns(), id=message["id"], received=received)
        door.send(outbox.take()[0])
        return True

    def _let_out(self, outgoing: Outgoing) -> None:
        if outgoing.port is Port.STATE:
            self._tap("out", Port.STATE, outgoing.route, None, outgoing.frame, time.monotonic_ns())
            socket = self._sockets[Port.STATE]
            send(socket, outgoing.route, NOW_MORE)
            send(socket, outgoing.frame, NOW)
        else:
            self._doors[outgoing.port].send(outgoing)

    def _serve_stops(self) -> None:
        """A thread and a socket of their own: a stop never waits behind anything else."""
        door, servo, poller = self._stop_door, self._servo, zmq.Poller()
        poller.register(door.socket, zmq.POLLIN)
        poller.register(servo.stop_pipe, zmq.POLLIN)
        while not self._over.is_set():
            ready = dict(poller.poll(POLL_MS))
            if door.socket in ready:
                for incoming in door.arrivals():
                    if not servo.forward_stop(incoming):
                        door.busy(incoming)
            if servo.stop_pipe in ready:
                for answer in servo.collect_stops():
                    door.send(answer)

    def shut_down(self) -> None:
        """Ask `run` to return; from a signal handler or another thread."""
        self._over.set()

    def close(self) -> None:
        """Stop the arm, end the servo, and close everything."""
        self._over.set()
        self._stopper.join()
        self._servo.quit()
        self._media.close()
        self._close_sockets()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _close_sockets(self) -> None:
        for socket in self._sockets.values():
            socket.close()
        self._security.close()
        self._context.term()

    def __enter__(self) -> Gateway:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
