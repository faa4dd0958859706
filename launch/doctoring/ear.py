"""Listens to the state stream and says when each message arrived, with nothing between the socket and the stamp."""

from __future__ import annotations

import time
from dataclasses import dataclass

import zmq
from doctoring.progress import REDRAWS, Show

from tandem.bridge.client import Link
from tandem.bridge.client.sockets import STATE_HIGH_WATER, subscriber
from tandem.bridge.contract import BodyUnresponsive
from tandem.bridge.wire import Message, Port, decode
from tandem.bridge.wire.codec import MAX_REPLY

FIRST_S = 2.0


@dataclass(frozen=True, eq=False)
class Heard:
    """A message of the state socket.

    Attributes:
        message: any kind of it.
        arrived: ns of this side's clock; 0 when it had to wait in the socket, because something else was done here.
    """

    message: Message
    arrived: int


class Ear:
    """A socket of its own beside the link's. Use it as a context manager.

    Args:
        link: the connection.
    """

    def __init__(self, link: Link):
        self._socket = subscriber(link.context, link.contact, link.ports[Port.STATE], STATE_HIGH_WATER, (b"",))

    def __enter__(self) -> Ear:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def wait(self) -> None:
        """Until the stream is there. Raises `BodyUnresponsive`."""
        if not self._socket.poll(round(FIRST_S * 1000)):
            raise BodyUnresponsive(f"no state came within {FIRST_S:g} s of asking for them")

    def listen(self, seconds: float, show: Show, what: str) -> list[Heard]:
        """Everything for so long."""
        self.wait()
        heard, begin = self._waiting(), time.monotonic()
        for k in range(REDRAWS):
            show(what, k / REDRAWS)
            heard += self._waiting()  # what came while that was drawn
            heard += self._arriving(begin + (k + 1) * seconds / REDRAWS)
        show(what, 1.0)
        return [Heard(decode(frame, limit=MAX_REPLY), arrived) for frame, arrived in heard]

    def take(self) -> list[Message]:
        """What has come since."""
        return [decode(frame, limit=MAX_REPLY) for frame, _ in self._waiting()]

    def _arriving(self, until_s: float) -> list[tuple[bytes, int]]:
        heard = []
        while (left_s := until_s - time.monotonic()) > 0:
            if self._socket.poll(max(1, round(left_s * 1000))):
                frames = self._socket.recv_multipart()
                heard.append((frames[-1], time.monotonic_ns()))
        return heard

    def _waiting(self) -> list[tuple[bytes, int]]:
        heard = []
        while True:
            try:
                heard.append((self._socket.recv_multipart(zmq.NOBLOCK)[-1], 0))
            except zmq.Again:
                return heard
