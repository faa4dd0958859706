"""Says to a controller what a polite client never would, and hears what it answers."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import zmq

from tandem.bridge.client.contact import Contact
from tandem.bridge.client.link import Grant, Link
from tandem.bridge.client.sockets import dealer
from tandem.bridge.wire.codec import MAX_REPLY, decode, encode
from tandem.bridge.wire.kinds import Port
from tandem.bridge.wire.message import Message
from tandem.bridge.wire.refusal import Refusal

PATIENCE_S = 2.0
UNREAD = (Refusal.OVERSIZED, Refusal.MALFORMED, Refusal.UNSUPPORTED_VERSION, Refusal.UNKNOWN_KIND, Refusal.NOT_FINITE)


class Probe:
    """A link, raw sockets beside it, and what the arm did meanwhile.

    Args:
        contact: whom to reach, as whom.
        name: what it calls itself.
    """

    def __init__(self, contact: Contact, name: str = "checker"):
        self.link = Link(contact, name=name)
        self.spec, self.limits = self.link.spec, self.link.limits
        self._context, self._seq = zmq.Context(), 0
        self._sockets = {
            port: dealer(self._context, contact, self.link.ports[port], f"probe-{secrets.token_hex(4)}/{port}")
            for port in (Port.CONTROL, Port.COMMAND, Port.STOP)
        }

    def raw(self, port: Port, *frames: bytes, patience_s: float = PATIENCE_S) -> Message | None:
        """Send frames as they are; the answer, None when none came in time."""
        socket = self._sockets[port]
        while socket.poll(0):
            socket.recv_multipart()
        if not socket.poll(round(patience_s * 1000), zmq.POLLOUT):
            return None
        socket.send_multipart(frames, zmq.NOBLOCK)
        return self.heard(port, patience_s)

    def heard(self, port: Port, patience_s: float = PATIENCE_S) -> Message | None:
        """What the controller says next on a raw socket, None when nothing came in time."""
        socket = self._sockets[port]
        return decode(socket.recv_multipart()[0], limit=MAX_REPLY) if socket.poll(round(patience_s * 1000)) else None

    def ask(self, kind: str, *, patience_s: float = PATIENCE_S, envelope: Mapping[str, Any] | None = None, **fields: Any
            ) -> Message | None:
        """A request by the raw control socket, its envelope changed."""
        self._seq += 1
        head = {"session": self.link.session, "seq": self._seq, "t": time.monotonic_ns()} | dict(envelope or {})
        return self.raw(Port.CONTROL, encode(Message(kind, {"id": self._seq, **fields}, **head)), patience_s=patience_s)

    def chunk(
        self, grant: Grant, actions: np.ndarray, *, patience_s: float = PATIENCE_S, **changes: Any
    ) -> Message | None:
        """A chunk by the link's own connection, any of its fields or its envelope changed; what is said to it."""
        link = self.link
        link._seq += 1
        fields = {
            "t0": changes.pop("t0") if "t0" in changes else self.state().t, "dt": changes.pop("dt", 50_000_000),
            "ttl": changes.pop("ttl", 2_000_000_000), "names": changes.pop("names", self.spec.action.names),
            "q": actions,
        }
        head = {"session": link.session, "epoch": grant.epoch, "lease": grant.token, "seq": link._seq,
                "t": time.monotonic_ns()} | changes
        if not link._command.poll(round(patience_s * 1000), zmq.POLLOUT):
            return None
        link.verdicts()
        message = Message("chunk", fields, **head)
        link._command.send(encode(message), zmq.NOBLOCK)
        return self._verdict(message.seq, patience_s)

    def _verdict(self, seq: int, patience_s: float) -> Message | None:
        """What is said to the chunk of that number; a refusal of what could not be read may name none."""
        end = time.monotonic() + patience_s
        while time.monotonic() < end:
            for said in self.link.verdicts():
                number = said.fields.get("chunk", said.fields.get("id"))
                if number == seq or (number == 0 and said.fields.get("code") in UNREAD):
                    return said
            time.sleep(0.002)
        return None

    def standing(self) -> np.ndarray:
        """(n + 1,) the setpoint once the arm stands."""
        return self.wait_mode("READY", "LEASED", "HOLDING", "FAULT")["setpoint"]

    def wait_mode(self, *modes: str, deadline_s: float = 10.0) -> Message:
        """The first state in one of the modes."""
        return self.link.watcher.wait(lambda state: state["mode"] in modes, deadline_s, f"mode {' or '.join(modes)}")

    def state(self) -> Message:
        """The next state."""
        now = self.link.watcher.newest()
        return self.link.watcher.wait(lambda state: now is None or state.t > now.t, PATIENCE_S, "a state")

    def close(self) -> None:
        """Disconnect."""
        self._context.destroy(linger=0)
        self.link.close()
