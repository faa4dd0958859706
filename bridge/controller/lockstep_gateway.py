"""The sockets in front of a body in lockstep: one process, one thread, no servo."""

from __future__ import annotations

import secrets
import threading
import time
from typing import Any

import zmq

from tandem.bridge.contract.interfaces import Body
from tandem.bridge.controller.doorman import Doorman, Rate, Tap, no_tap
from tandem.bridge.controller.lockstep import Ask, LockstepController
from tandem.bridge.controller.outbox import Outbox
from tandem.bridge.controller.ports import bind
from tandem.bridge.controller.setup import Setup
from tandem.bridge.security import security_for
from tandem.bridge.wire.kinds import Port

POLL_MS = 100
_ROUTERS = (Port.CONTROL, Port.COMMAND, Port.STOP)


class LockstepGateway:
    """Serves a body. Use it as a context manager, and `run` it.

    Args:
        body: what moves; the caller closes it.
        setup: address, keys and roles; the driver and its limits do not matter here.
        about: plain facts for hello.
        ask: answers questions (ground truth); None for a body without.
        tap: sees every frame, both ways.

    Attributes:
        controller: what decides.
        session: of this start.
        ports: TCP port of each socket.
    """

    def __init__(
        self, body: Body, setup: Setup, *, about: dict[str, Any] | None = None, ask: Ask | None = None,
        tap: Tap = no_tap,
    ):
        self._setup, self._over = setup, threading.Event()
        self._security = security_for(setup.address.host, setup.keys, setup.loopback_role)
        self._context, self.session = zmq.Context(), secrets.token_hex(8)
        self._security.guard(self._context)
        self._sockets, self.ports = {}, {}
        try:
            for port in Port:
                self._sockets[port], self.ports[port] = bind(self._context, port, setup.address, self._security)
        except BaseException:
            self._close_sockets()
            raise
        hello = {
            "ports": {str(port): number for port, number in self.ports.items()}, "security": self._security.name,
            "about": about or {},
        }
        self.controller = LockstepController(body, session=self.session, hello=hello, ask=ask)
        rate = Rate(100 * setup.limits.requests_per_s)
        outbox = Outbox(self.session, lambda: (0, 0))
        self._doors = [
            Doorman(port, self._sockets[port], self._security, outbox, rate, tap) for port in _ROUTERS
        ]

    @property
    def endpoint(self) -> str:
        """What a client is given."""
        return f"tcp://{self._setup.address.reachable}:{self.ports[Port.CONTROL]}"

    def run(self) -> None:
        """Serve until `shut_down`."""
        poller = zmq.Poller()
        for door in self._doors:
            poller.register(door.socket, zmq.POLLIN)
        while not self._over.is_set():
            ready = dict(poller.poll(POLL_MS))
            for door in self._doors:
                for incoming in door.arrivals() if door.socket in ready else ():
                    for outgoing in self.controller.receive(incoming, time.monotonic_ns()):
                        door.send(outgoing)
                    self.controller.done(time.monotonic_ns())

    def shut_down(self) -> None:
        """Ask `run` to return; from a signal handler or another thread."""
        self._over.set()

    def close(self) -> None:
        """Close every socket."""
        self._over.set()
        self._close_sockets()

    def _close_sockets(self) -> None:
        for socket in self._sockets.values():
            socket.close()
        self._security.close()
        self._context.term()

    def __enter__(self) -> LockstepGateway:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
