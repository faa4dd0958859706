"""A connection to a controller: hello, clock, lease, chunks, stop. It decides nothing; `RemoteBody` stands on it."""

from __future__ import annotations

import logging
import os
import secrets
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import zmq
from zmq.utils.monitor import recv_monitor_message

from tandem.bridge.client.clocks import ClockOffset, Exchange
from tandem.bridge.client.contact import Contact
from tandem.bridge.client.sockets import STATE_HIGH_WATER, dealer, subscriber
from tandem.bridge.client.watcher import RENEWALS_PER_LEASE, Watcher
from tandem.bridge.contract.errors import BodyUnresponsive, SpecMismatch
from tandem.bridge.contract.spec import BodySpec
from tandem.bridge.wire.codec import MAX_REPLY, decode, encode
from tandem.bridge.wire.frames import NOW, send
from tandem.bridge.wire.kinds import VERSION, Port
from tandem.bridge.wire.message import Message
from tandem.bridge.wire.refusal import Refusal, Refused

log = logging.getLogger(__name__)
PINGS = 15
REQUEST_S = 2.0
NEEDED_LIMITS = ("tick_hz", "silence_s", "lease_s")
_HANDSHAKE_FAILURES = {
    zmq.EVENT_HANDSHAKE_FAILED_AUTH: "the controller does not let this key in: add it to the allow-list there "
                                     "(launch/keys.py), or use another",
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL: "no CURVE at the other end, or the wrong controller.key: leave --keys out for "
                                         "a plain controller",
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL: "the handshake broke off: the wrong controller.key, a plain controller "
                                          "(leave --keys out), or none at all",
}


@dataclass(frozen=True)
class Grant:
    """A lease and the epoch in which it may command.

    Attributes:
        token: the fencing token.
        epoch: actions must name it.
    """

    token: int
    epoch: int


class Link:
    """See the module. One thread's, but for what its watcher reads.

    Args:
        contact: whom to reach, as whom.
        name: what this client calls itself.
        expected: the specification that this side was made for; None takes what is told.
        patience_s: for the first hello.

    Attributes:
        welcome: what the controller said of itself.
        spec: the body.
        ports: TCP port of each socket.
        clock: the controller's clock.
        watcher: reads the state stream.

    Raises:
        BodyUnresponsive: nobody answers, or the key is not let in.
        SpecMismatch: the body is not the one expected; nothing may move.
        Refused: no common version; a welcome that lacks what the protocol demands.
    """

    def __init__(
        self, contact: Contact, *, name: str = "agent", expected: BodySpec | None = None, patience_s: float = 5.0
    ):
        self.contact, self.name = contact, name
        self._identity = f"{name}-{os.getpid()}-{secrets.token_hex(3)}"
        self._context = zmq.Context()
        self._ids = self._seq = 0
        self._sockets: list[zmq.Socket] = []
        self.watcher: Watcher | None = None
        try:
            self._open(patience_s, expected)
        except BaseException:
            self.close()
            raise

    def _open(self, patience_s: float, expected: BodySpec | None) -> None:
        self._control = self._keep(dealer(self._context, self.contact, None, self._identity))
        monitor = self._control.get_monitor_socket()
        self.session = ""
        try:
            self.welcome = self.request(
                "hello", patience_s, versions=[VERSION], name=self.name, role="", _monitor=monitor
            )
        finally:
            self._control.disable_monitor()
            monitor.close()  # or the context would wait for it for ever
        self.session = self.welcome.session
        self.spec = BodySpec.from_dict(self.welcome["spec"])
        if expected is not None and (differences := expected.differences(self.spec)):
            raise SpecMismatch(differences)
        self.limits: dict[str, float] = _declared(self.welcome, "limits", NEEDED_LIMITS, 1e9)
        ports = self.ports = dict(self.contact.ports or _declared(self.welcome, "ports", tuple(Port), 65535))
        self._command = self._keep(dealer(self._context, self.contact, ports[Port.COMMAND], self._identity))
        self._stop = self._keep(dealer(self._context, self.contact, ports[Port.STOP], self._identity))
        self.clock = self.measure_clock()
        state = self._keep(subscriber(self._context, self.contact, ports[Port.STATE], STATE_HIGH_WATER, (b"",)))
        keeper = self._keep(dealer(self._context, self.contact, None, f"{self._identity}/keeper"))
        self.watcher = Watcher(
            state, keeper, self.session, renew_every_s=self.limits["lease_s"] / RENEWALS_PER_LEASE,
            silence_s=2 * self.limits["silence_s"],
        )

    def _keep(self, socket: zmq.Socket) -> zmq.Socket:
        self._sockets.append(socket)
        return socket

    @property
    def extensions(self) -> tuple[str, ...]:
        """What the body offers besides."""
        return self.welcome["extensions"]

    @property
    def context(self) -> zmq.Context:
        """For further sockets of this client."""
        return self._context

    def request(
        self, kind: str, deadline_s: float = REQUEST_S, *, epoch: int = 0, lease: int = 0,
        _monitor: zmq.Socket | None = None, _first: int | None = None, **fields: Any,
    ) -> Message:
        """Ask on the control socket and wait for the answer with the same id; late answers to others are dropped.

        Only who asks for a lease in line may be answered with the id of an earlier asking, from `_first` on.

        Raises:
            Refused: by the controller, with its reason.
            BodyUnresponsive: no answer within the deadline.
        """
        return self._exchange(self._control, kind, deadline_s, epoch, lease, fields, _monitor, _first)[0]

    def request_with_data(
        self, kind: str, deadline_s: float = REQUEST_S, *, epoch: int = 0, **fields: Any
    ) -> tuple[Message, bytes]:
        """The same where the answer has a second frame."""
        message, data = self._exchange(self._control, kind, deadline_s, epoch, 0, fields, None)
        return message, data or b""

    def command(self, kind: str, deadline_s: float, grant: Grant, **fields: Any) -> Message:
        """Ask on the command socket (lockstep)."""
        return self._exchange(self._command, kind, deadline_s, grant.epoch, grant.token, fields, None)[0]

    def _exchange(
        self, socket: zmq.Socket, kind: str, deadline_s: float, epoch: int, lease: int, fields: dict[str, Any],
        monitor: zmq.Socket | None, first: int | None = None,
    ) -> tuple[Message, bytes | None]:
        self._ids, self._seq = self._ids + 1, self._seq + 1
        number, end = self._ids, time.monotonic() + deadline_s
        message = Message(kind, {"id": number, **fields}, self.session, epoch, lease, self._seq, time.monotonic_ns())
        self._send(socket, encode(message), end, kind, monitor)
        while True:
            left_ms = max(0, round((end - time.monotonic()) * 1000))
            if not socket.poll(left_ms):
                raise BodyUnresponsive(f"{self.contact.endpoint()} did not answer {kind} within {deadline_s:g} s")
            frames = socket.recv_multipart()
            answer = decode(frames[0], limit=MAX_REPLY)
            oldest = first if first is not None and answer.kind == "granted" else number
            if not oldest <= answer.fields.get("id", 0) <= number:
                continue
            if answer.kind == "refused":
                raise Refused(Refusal(answer["code"]), answer["detail"])
            return answer, frames[1] if len(frames) > 1 else None

    def _send(self, socket: zmq.Socket, frame: bytes, end: float, what: str, monitor: zmq.Socket | None) -> None:
        while not socket.poll(50, zmq.POLLOUT):
            if monitor is not None and monitor.poll(0):
                event = recv_monitor_message(monitor)["event"]
                if event in _HANDSHAKE_FAILURES:
                    why = _HANDSHAKE_FAILURES[event] if self.contact.mine else "the controller is guarded: give --keys"
                    raise BodyUnresponsive(f"{self.contact.endpoint()}: {why}")
            if time.monotonic() > end:
                raise BodyUnresponsive(
                    f"no connection to {self.contact.endpoint()} for {what}: start the controller there "
                    "(python launch/controller.py), and look at host, port and keys"
                )
        send(socket, frame, NOW)

    def measure_clock(self, pings: int = PINGS) -> ClockOffset:
        """Measure the controller's clock anew."""
        exchanges = []
        for _ in range(pings):
            sent = time.monotonic_ns()
            pong = self.request("ping")
            exchanges.append(Exchange(sent, pong["received"], pong.t, time.monotonic_ns()))
        return ClockOffset.best_of(exchanges)

    def now(self) -> int:
        """The controller's clock now, ns, as far as is known here."""
        return self.clock.there(time.monotonic_ns())

    def acquire(self, *, standby_s: float = 0.0, force: bool = False) -> Grant:
        """The lease; the watcher keeps it alive until `release`.

        Args:
            standby_s: how long to wait for it in line when somebody else holds it.
            force: take it over (supervisors).
        """
        end, first = time.monotonic() + standby_s, self._ids + 1
        while True:
            fields = {"name": self.name, "standby": standby_s > 0, "force": force}
            answer = self.request("acquire", _first=first, **fields)
            if answer.kind == "granted":
                return self._granted(answer)
            if time.monotonic() > end:
                raise Refused(Refusal.LEASE_TAKEN, f"{answer['holder']} holds the lease")
            if (handed := self._handed_over(0.2)) is not None:
                return self._granted(handed)

    def _handed_over(self, patience_s: float) -> Message | None:
        if not self._control.poll(round(patience_s * 1000)):
            return None
        answer = decode(self._control.recv(), limit=MAX_REPLY)
        return answer if answer.kind == "granted" else None

    def _granted(self, answer: Message) -> Grant:
        grant = Grant(answer.lease, answer.epoch)
        self.watcher.hold(grant.epoch, grant.token)
        return grant

    def release(self, grant: Grant) -> None:
        """Give the lease back; a moving arm stops."""
        self.watcher.let_go()
        self.request("release", epoch=grant.epoch, lease=grant.token)

    def leave(self, grant: Grant | None) -> None:
        """Give the lease back if it can be; if not, it expires."""
        if grant is None:
            return
        try:
            self.release(grant)
        except (Refused, BodyUnresponsive) as reason:
            log.warning("the lease could not be given back and expires: %s", reason)

    def send_chunk(self, grant: Grant, actions: np.ndarray, *, t0: int, dt_s: float, ttl_s: float) -> int:
        """Send actions (H, d) in the specification's order; returns the chunk's number. What is said to it comes later.

        Raises:
            BodyUnresponsive: not connected; nothing is kept for later.
        """
        self._seq += 1
        self.watcher.called()
        fields = {
            "t0": t0, "dt": round(dt_s * 1e9), "ttl": round(ttl_s * 1e9), "names": self.spec.action.names, "q": actions,
        }
        message = Message("chunk", fields, self.session, grant.epoch, grant.token, self._seq, time.monotonic_ns())
        try:
            send(self._command, encode(message), NOW)
        except zmq.Again:
            raise BodyUnresponsive("the connection for commands is down; nothing was sent or kept") from None
        return self._seq

    def verdicts(self) -> list[Message]:
        """What the controller has said to chunks since: "accepted" or "refused"."""
        said = []
        while self._command.poll(0):
            said.append(decode(self._command.recv(), limit=MAX_REPLY))
        return said

    def stop(self, reason: str, deadline_s: float = REQUEST_S) -> int:
        """Software stop, latched as a fault; its number. Any role may, and it queues behind nothing."""
        return self._exchange(self._stop, "stop", deadline_s, 0, 0, {"reason": reason}, None)[0]["fault"]

    def clear(self, fault: int) -> None:
        """Clear a latched fault, having looked at the arm (supervisors)."""
        self.request("clear", fault=fault)

    def close(self) -> None:
        """Close everything; allowed twice."""
        if self.watcher is not None:
            self.watcher.close()
            self.watcher = None
        for socket in self._sockets:
            socket.close()
        self._sockets.clear()
        self._context.term()


def _declared(welcome: Message, what: str, names: tuple[str, ...], highest: float) -> dict[str, Any]:
    told = welcome[what]
    for name in names:
        if type(told.get(name)) not in (int, float) or not 0 < told[name] <= highest:
            raise Refused(Refusal.MALFORMED, f"welcome.{what}.{name} is {told.get(name)!r}: PROTOCOL.md demands it")
    return told
