"""Reads a ROUTER: who sent what, how often, and refuses at the door what nobody behind it needs to see."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

import zmq

from tandem.bridge.controller.admission import number_of
from tandem.bridge.controller.outbox import Outbox
from tandem.bridge.controller.traffic import Incoming, Outgoing
from tandem.bridge.roles import Peer, Role
from tandem.bridge.security import Security
from tandem.bridge.wire.codec import MAX_FRAME
from tandem.bridge.wire.frames import NOW, receive_named
from tandem.bridge.wire.kinds import Port
from tandem.bridge.wire.refusal import Refusal, Refused

BATCH = 32  # messages read in one go
MAX_PEERS = 1024
MAX_PEEK = 4096  # bytes of a refused frame in which its id is looked for: a flood shall not cost more than it does
_STRANGER = Peer("", Role.OBSERVER, "")

Tap = Callable[[str, Port, bytes, Peer | None, bytes, int], None]
"""Sees every frame: "in" or "out", socket, route, peer, bytes, ns."""


def no_tap(*_: object) -> None:
    """Nobody listens."""


class Rate:
    """Allows so many messages per second of each peer, and as many at once.

    Args:
        per_second: of one identity.
    """

    def __init__(self, per_second: float):
        self._per_second = per_second
        self._left: dict[str, tuple[float, float]] = {}

    def allows(self, identity: str, now_s: float) -> bool:
        """Whether one more is in order; counts it."""
        if len(self._left) > MAX_PEERS:
            self._left.clear()
        left, last = self._left.get(identity, (self._per_second, now_s))
        left = min(self._per_second, left + (now_s - last) * self._per_second)
        self._left[identity] = (max(left - 1, 0), now_s)
        return left >= 1


class Doorman:
    """One ROUTER of a controller.

    Args:
        port: which.
        socket: bound.
        security: says who a peer is.
        outbox: writes refusals.
        rate: of messages.
        tap: sees every frame.
    """

    def __init__(self, port: Port, socket: zmq.Socket, security: Security, outbox: Outbox, rate: Rate, tap: Tap):
        self.port, self.socket = port, socket
        self._security, self._outbox, self._rate, self._tap = security, outbox, rate, tap

    def arrivals(self) -> Iterator[Incoming]:
        """What has come and may be looked at, one by one as it is read; the rest has been answered."""
        for _ in range(BATCH):
            try:
                route, frames = receive_named(self.socket, NOW)
            except zmq.Again:
                return
            incoming = self._look(route, frames)
            if incoming is not None:
                yield incoming

    def _look(self, route: bytes, frames: list[zmq.Frame]) -> Incoming | None:
        now = time.monotonic_ns()
        peer = self._security.peer_of(route, frames[-1])
        body = frames[-1].bytes
        self._tap("in", self.port, route, peer, body, now)
        incoming = Incoming(self.port, route, peer or _STRANGER, body)
        try:
            if peer is None:
                raise Refused(Refusal.UNAUTHENTICATED, "the key of this connection is not on the allow-list")
            if not self._rate.allows(peer.identity, now * 1e-9):
                raise Refused(Refusal.BUSY, "more messages per second than are looked at")
            if len(frames) != 1:
                raise Refused(Refusal.MALFORMED, f"{len(frames)} frames; a message is one frame")
            if len(body) > MAX_FRAME:
                raise Refused(Refusal.OVERSIZED, f"{len(body)} bytes, at most {MAX_FRAME} are read")
        except Refused as reason:
            self._refuse(incoming, reason, now)
            return None
        return incoming

    def _refuse(self, incoming: Incoming, reason: Refused, now: int) -> None:
        number = number_of(incoming.frame) if len(incoming.frame) <= MAX_PEEK else 0
        self._outbox.refuse(incoming, number, reason, now)
        for outgoing in self._outbox.take():
            self.send(outgoing)

    def busy(self, incoming: Incoming) -> None:
        """Nobody behind the door has time for it."""
        self._refuse(incoming, Refused(Refusal.BUSY, "the controller does not keep up"), time.monotonic_ns())

    def send(self, outgoing: Outgoing) -> None:
        """To the connection that asked, if it is still there and reads."""
        self._tap("out", self.port, outgoing.route, None, outgoing.frame, time.monotonic_ns())
        frames = [outgoing.route, outgoing.frame]
        if outgoing.attached is not None:
            frames.append(outgoing.attached)
        with contextlib.suppress(zmq.Again, zmq.ZMQError):  # gone, or not reading: its own loss
            self.socket.send_multipart(frames, zmq.NOBLOCK, copy=False)
