"""The loop of a proxy, one thread's: doors, connections, and what is the matter with the network at present."""

from __future__ import annotations

import contextlib
import logging
import math
import selectors
import socket
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence

from tandem.bridge.faults.connection import Connection
from tandem.bridge.faults.counts import Counts
from tandem.bridge.faults.decisions import Decisions
from tandem.bridge.faults.door import Door
from tandem.bridge.faults.fault import Direction, Fault
from tandem.bridge.faults.framing import NotZmtp
from tandem.bridge.faults.lane import Lane
from tandem.bridge.faults.outages import Outage, Outages

log = logging.getLogger(__name__)
Address = tuple[int, tuple]  # family and what `socket.connect` takes


class Loop:
    """See the module.

    Args:
        upstream: address of each port of the controller.
        doors: the local port for each.
        faults: all of them.
        seed: of their decisions.
        max_waiting: bytes that may wait in one direction of one connection.

    Attributes:
        outages: what is the matter now.
        counts: by port and direction.
    """

    def __init__(self, upstream: Mapping[str, Address], doors: Sequence[Door], faults: Sequence[Fault], seed: int,
                 max_waiting: int):
        self._upstream, self._doors, self._faults, self._seed = upstream, doors, faults, seed
        self._max_waiting = max_waiting
        self.outages = Outages([fault for fault in faults if isinstance(fault, Outage)], upstream)
        self.counts = {(port, direction): Counts() for port in upstream for direction in Direction}
        self._made: Counter[str] = Counter()
        self._connections: set[Connection] = set()
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        for end in (self._wake, self._woken):
            end.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._errands: deque[Callable[[], None]] = deque()
        self._begun_s = time.monotonic()
        self._over = False

    def run(self) -> None:
        """Go on until `end`."""
        for door in self._doors:
            self._open(door)
        try:
            while not self._over:
                self.refresh()
                now_s = self._now_s()
                for connection in [each for each in self._connections if each.next_due_s(self.outages) <= now_s]:
                    self._turn(connection)
                for key, events in self._selector.select(self._patience_s()):
                    self._handle(key, events)
        finally:
            self._close()

    def post(self, errand: Callable[[], None]) -> None:
        """Have something done in the loop's thread; from any thread. Not done at all when the loop is over."""
        self._errands.append(errand)
        with contextlib.suppress(BlockingIOError, OSError):  # full: it is awake already; closed: it is over
            self._wake.send(b"!")

    def end(self) -> None:
        """Leave `run`; in the loop's thread."""
        self._over = True

    def refresh(self) -> None:
        """Shut and open doors, cut connections, as the outages say by now; in the loop's thread."""
        if not self.outages.update(self._now_s()):
            return
        for door in self._doors:
            if door.name in self.outages.cut:
                self._shut(door)
            else:
                self._open(door)
        for connection in list(self._connections):
            if connection.port in self.outages.cut:
                connection.abort()
            self._turn(connection)

    def waiting(self) -> dict[tuple[str, Direction], int]:
        """Bytes that wait, by port and direction, all connections together; in the loop's thread."""
        sums = dict.fromkeys(self.counts, 0)
        for connection in self._connections:
            for direction in Direction:
                sums[connection.port, direction] += connection.waiting(direction)
        return sums

    def _now_s(self) -> float:
        return time.monotonic() - self._begun_s

    def _patience_s(self) -> float | None:
        now_s = self._now_s()
        due = [each.next_due_s(self.outages) for each in self._connections]
        first_s = min([self.outages.next_change_s(now_s), *due])
        return None if first_s == math.inf else max(0.0, first_s - now_s)

    def _handle(self, key: selectors.SelectorKey, events: int) -> None:
        if isinstance(key.data, Connection):
            self._move(key.data, key.fileobj, events)
        elif isinstance(key.data, Door):
            self._let_in(key.data)
        else:
            with contextlib.suppress(BlockingIOError):
                self._woken.recv(4096)
            while self._errands:
                self._errands.popleft()()

    def _move(self, connection: Connection, ready: socket.socket, events: int) -> None:
        if connection.closed:  # by what was handled just before
            return
        try:
            connection.handle(ready, events, self._now_s())
        except NotZmtp as reason:
            log.error("a connection to %s is reset: %s", connection.port, reason)
            connection.abort()
        except OSError as reason:
            log.warning("the controller's %s port cannot be reached: %s", connection.port, reason)
        self._turn(connection)

    def _turn(self, connection: Connection) -> None:
        if not connection.closed:
            connection.turn(self._now_s(), self.outages)
        if connection.closed:
            self._connections.discard(connection)

    def _let_in(self, door: Door) -> None:
        if door.listener is None:  # shut by what was handled just before
            return
        try:
            client, _ = door.listener.accept()
        except (BlockingIOError, ConnectionAbortedError):  # it has gone again
            return
        family, address = self._upstream[door.name]
        lanes = {direction: self._lane(door.name, direction) for direction in Direction}
        self._made[door.name] += 1
        try:
            connection = Connection(door.name, client, address, family, lanes, self._selector)
        except OSError as reason:
            log.warning("the controller's %s port cannot be reached: %s", door.name, reason)
            return
        self._connections.add(connection)
        self._turn(connection)

    def _lane(self, port: str, direction: Direction) -> Lane:
        decisions = Decisions(self._faults, self._seed, port, self._made[port], direction)
        return Lane(decisions, self.counts[port, direction], self._max_waiting)

    def _open(self, door: Door) -> None:
        if door.listener is None:
            door.open()
            self._selector.register(door.listener, selectors.EVENT_READ, door)

    def _shut(self, door: Door) -> None:
        if door.listener is not None:
            self._selector.unregister(door.listener)
            door.shut()

    def _close(self) -> None:
        for connection in self._connections:
            connection.close()
        for door in self._doors:
            door.close()
        self._selector.close()
        self._wake.close()
        self._woken.close()
