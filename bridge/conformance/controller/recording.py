"""Every message of the state socket over a while, not only the newest: limits are judged from one turn to the next."""

from __future__ import annotations

import time
from itertools import pairwise
from types import TracebackType

import numpy as np

from tandem.bridge.client.link import Link
from tandem.bridge.client.sockets import STATE_HIGH_WATER, subscriber
from tandem.bridge.contract.errors import BodyUnresponsive
from tandem.bridge.wire.codec import MAX_REPLY, decode
from tandem.bridge.wire.kinds import Port
from tandem.bridge.wire.message import Message
from tandem.bridge.wire.refusal import Refused

PATIENCE_S = 2.0
STILL = 1e-9  # rad or m between two setpoints that are the same


class Recording:
    """A context manager: what was sent while it was open can be looked at afterwards.

    Args:
        link: of the controller; has to stay open as long.

    Attributes:
        states: in order.
        gaps: messages that never came.
        unread: why messages could not be read (not finite, a field too few).
    """

    def __init__(self, link: Link):
        self._link = link
        self.states: list[Message] = []
        self.gaps = 0
        self.unread: list[str] = []
        self._last_seq = 0
        self._breaks: set[int] = set()  # places in `states` before which something is missing

    def __enter__(self) -> Recording:
        link = self._link
        self._socket = subscriber(link.context, link.contact, link.ports[Port.STATE], STATE_HIGH_WATER, (b"",))
        try:
            self._read_until(0)  # a subscription takes a while: nothing counts before the first state
        except BaseException:
            self._socket.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
                 ) -> None:
        try:
            if kind is None:
                self._read_until(self._link.watcher.newest().t)
        finally:
            self._socket.close()

    def _read_until(self, when: int) -> None:
        end = time.monotonic() + PATIENCE_S
        while not self.states or self.states[-1].t < when:
            if not self._socket.poll(max(0, round((end - time.monotonic()) * 1000))):
                raise BodyUnresponsive(f"no state within {PATIENCE_S:g} s on the state socket")
            self._take(self._socket.recv_multipart()[-1])

    def _take(self, frame: bytes) -> None:
        try:
            message = decode(frame, limit=MAX_REPLY)
        except Refused as reason:
            self.unread.append(str(reason))
            return
        if message.session != self._link.session:
            return
        if self._last_seq and message.seq != self._last_seq + 1:
            self.gaps += 1
            self._breaks.add(len(self.states))
        self._last_seq = message.seq
        if message.kind == "state":
            self.states.append(message)

    def unbroken(self) -> list[np.ndarray]:
        """Setpoints (k, n + 1) of consecutive turns, anew after each gap."""
        ends = sorted({0, *self._breaks, len(self.states)})
        return [np.array([state["setpoint"] for state in self.states[a:b]]) for a, b in pairwise(ends)]

    def moved_last(self) -> int:
        """When the setpoint changed last, ns of the controller's clock; 0 when it never did."""
        setpoints = np.array([state["setpoint"] for state in self.states])
        changed = np.flatnonzero(np.abs(np.diff(setpoints, axis=0)).max(axis=1) > STILL)
        return self.states[changed[-1] + 1].t if len(changed) else 0
