"""A thread that reads the state stream and keeps the lease alive while the agent thinks.

It keeps the newest state and counts gaps; it never commands. The lease says that this process lives; that the agent
goes on is said by its chunks, which have a time to live of their own.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable

import zmq

from tandem.bridge.contract.errors import BodyUnresponsive
from tandem.bridge.wire.codec import MAX_REPLY, decode, encode
from tandem.bridge.wire.frames import NOW, receive_named, send
from tandem.bridge.wire.message import Message
from tandem.bridge.wire.refusal import Refused

IDLE_POLL_S = 0.01  # how often the stream is emptied while nobody waits for a state
RENEWALS_PER_LEASE = 8
KEPT = 1000  # events and reports


class Watcher:
    """See the module.

    Args:
        state: SUB of the state socket; the thread's from now on.
        keeper: DEALER of the control socket, for renewals; the thread's from now on.
        session: of the controller; states of another are not counted.
        renew_every_s: pause between two renewals.
        silence_s: a state older than this is no state.

    Attributes:
        gaps: messages of the state socket that never came, by topic.
        received: by kind.
        malformed: messages that could not be read.
        on_message: called with every event and report, in the thread.
    """

    def __init__(self, state: zmq.Socket, keeper: zmq.Socket, session: str, *, renew_every_s: float, silence_s: float):
        self._state_socket, self._keeper, self._session = state, keeper, session
        self._renew_every_s, self._silence_s = renew_every_s, silence_s
        self._changed = threading.Condition()
        self._newest: Message | None = None
        self._arrived_s = 0.0
        self._waiting = 0
        self._lease: tuple[int, int] | None = None  # epoch, token
        self._renewal_refused = ""
        self._calls, self._called_s, self._requests = 0, time.monotonic(), 0
        self._last_seq = 0
        self.gaps = 0
        self.malformed = 0
        self.received: Counter[str] = Counter()
        self._events: deque[Message] = deque(maxlen=KEPT)
        self.on_message: Callable[[Message], None] = lambda message: None
        self._over = False
        self._thread = threading.Thread(target=self._watch, name="bridge-watcher", daemon=True)
        self._thread.start()

    @property
    def events(self) -> list[Message]:
        """The newest events and reports, oldest first; the thread may hear more meanwhile."""
        with self._changed:
            return list(self._events)

    def hold(self, epoch: int, token: int) -> None:
        """Keep this lease alive from now on."""
        with self._changed:
            self._lease, self._renewal_refused = (epoch, token), ""

    def let_go(self) -> None:
        """Renew no more."""
        with self._changed:
            self._lease = None

    def called(self) -> None:
        """The agent asked for something: how long ago is told with every renewal."""
        self._calls, self._called_s = self._calls + 1, time.monotonic()

    def newest(self) -> Message | None:
        """The newest state, None before the first. Raises `BodyUnresponsive` when it is too old."""
        with self._changed:
            if self._newest is not None and time.monotonic() - self._arrived_s > self._silence_s:
                raise BodyUnresponsive(
                    f"the controller has said nothing for {time.monotonic() - self._arrived_s:.2f} s: look at its "
                    "process and the network, then connect anew"
                )
            return self._newest

    def wait(self, wanted: Callable[[Message], bool], deadline_s: float, what: str) -> Message:
        """The first state that is wanted. Raises `BodyUnresponsive` after the deadline, or when states cease."""
        end = time.monotonic() + deadline_s
        with self._changed:
            self._waiting += 1
            try:
                while True:
                    newest, now = self._newest, time.monotonic()
                    if newest is not None and wanted(newest):
                        return newest
                    if now >= end:
                        raise BodyUnresponsive(f"{what} did not come within {deadline_s:g} s")
                    if newest is not None and now - self._arrived_s > self._silence_s:
                        raise BodyUnresponsive(f"the controller fell silent while waiting for {what}")
                    self._changed.wait(min(end - now, 0.05))
            finally:
                self._waiting -= 1

    def _watch(self) -> None:
        renew_s = 0.0
        while not self._over:
            if self._waiting:
                self._state_socket.poll(10)
            else:
                time.sleep(IDLE_POLL_S)
            self._read_states()
            self._read_renewals()
            if time.monotonic() >= renew_s:
                renew_s = time.monotonic() + self._renew_every_s
                self._renew()

    def _read_states(self) -> None:
        while True:
            try:
                _, frames = receive_named(self._state_socket, NOW)
            except zmq.Again:
                return
            try:
                message = decode(frames[0].bytes, limit=MAX_REPLY) if len(frames) == 1 else None
            except Refused:
                message = None
            if message is None:
                self.malformed += 1
                continue
            if message.session == self._session:
                self._take(message)

    def _take(self, message: Message) -> None:
        if self._last_seq:
            self.gaps += max(0, message.seq - self._last_seq - 1)
        self._last_seq = max(self._last_seq, message.seq)
        self.received[message.kind] += 1
        if message.kind == "state":
            with self._changed:
                self._newest, self._arrived_s = message, time.monotonic()
                self._changed.notify_all()
        else:
            with self._changed:
                self._events.append(message)
            self.on_message(message)

    def _read_renewals(self) -> None:
        while True:
            try:
                message = decode(self._keeper.recv(zmq.NOBLOCK), limit=MAX_REPLY)
            except zmq.Again:
                return
            except Refused:
                self.malformed += 1
                continue
            if message.kind == "refused":
                self._renewal_refused = f"{message['code']}: {message['detail']}"

    def _renew(self) -> None:
        with self._changed:
            lease = self._lease
        if lease is None:
            return
        self._requests += 1
        idle = round((time.monotonic() - self._called_s) * 1e9)
        fields = {"id": self._requests, "calls": self._calls, "idle": idle}
        message = Message("renew", fields, self._session, *lease, self._requests, time.monotonic_ns())
        try:
            send(self._keeper, encode(message), NOW)
        except zmq.Again:
            return  # not connected now: the lease expires if it stays so

    @property
    def lost(self) -> str:
        """Why the lease could not be renewed, "" when it was."""
        return self._renewal_refused

    def close(self) -> None:
        """End the thread and its sockets."""
        self._over = True
        self._thread.join()
        self._state_socket.close()
        self._keeper.close()
