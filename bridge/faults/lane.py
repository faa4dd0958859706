"""One direction of one connection, without its sockets: cut into messages, judged, kept until due, handed over."""

from __future__ import annotations

import heapq
import math
from collections import deque
from itertools import islice

from tandem.bridge.faults.counts import Counts
from tandem.bridge.faults.decisions import Decisions
from tandem.bridge.faults.framing import Framing, Kind, Unit
from tandem.bridge.faults.messages import Decision

MAX_WAITING = 64 * 2**20  # bytes in one lane, an allowance for each message included
MAX_READY = 2**20  # bytes due that the receiver does not take: few, so that the sender feels it as without a proxy
ALLOWANCE = 256  # bytes that keeping a message costs besides its own
_VECTOR = 64  # buffers of one system call


class Lane:
    """See the module. Times are seconds of the caller's clock.

    Args:
        decisions: about its messages.
        counts: of its port and direction.
        max_waiting: bytes that may wait in it; the largest message is half of that.

    Attributes:
        maimed: part of its handshake was lost, so that the connection is good for nothing.
    """

    def __init__(self, decisions: Decisions, counts: Counts, max_waiting: int = MAX_WAITING):
        self._decisions, self._counts, self._max_waiting = decisions, counts, max_waiting
        self._framing = Framing(max_waiting // 2)
        self._held: list[tuple[float, int, Unit, bool]] = []  # heap: when due, order, what, whether it is a copy
        self._ready: deque[memoryview] = deque()
        self._held_bytes = self._ready_bytes = self._order = 0
        self._last_due_s = -math.inf
        self._abandoned = self.maimed = False

    @property
    def waiting(self) -> int:
        """Bytes that wait, an allowance for each message included."""
        return self._framing.rest + self._held_bytes + self._ready_bytes

    @property
    def room(self) -> int:
        """Bytes that may be taken now: not above the bound even if they are nothing but tiny messages."""
        if self._ready_bytes > MAX_READY:
            return 0
        return max(0, self._max_waiting - self.waiting) // ALLOWANCE

    @property
    def drained(self) -> bool:
        """Whether everything that was taken is gone, half a message at the end of a stream aside."""
        return not self._held and not self._ready

    @property
    def next_due_s(self) -> float:
        """When the next one is due; infinity when none waits."""
        return self._held[0][0] if self._held else math.inf

    def take(self, data: bytes, now_s: float) -> None:
        """Bytes from the sender. Raises `NotZmtp`."""
        if self._abandoned:
            return
        for unit in self._framing.cut(data):
            if unit.kind is Kind.MESSAGE:
                self._judge(unit, self._decisions.decide(), now_s)
            else:
                self._hold(unit, self._in_order(now_s))

    def release(self, now_s: float, *, discard: bool = False) -> None:
        """Make ready what is due, or lose it."""
        while self._held and self._held[0][0] <= now_s:
            _, _, unit, is_copy = heapq.heappop(self._held)
            self._held_bytes -= len(unit.data) + ALLOWANCE
            counted = unit.kind is Kind.MESSAGE and not is_copy
            if discard:
                self.maimed |= unit.kind is Kind.HANDSHAKE
                self._counts.discarded += counted
            else:
                self._counts.passed += counted
                self._ready.append(memoryview(unit.data))
                self._ready_bytes += len(unit.data) + ALLOWANCE

    def ready(self) -> list[memoryview]:
        """What to write next; empty when nothing is due."""
        return list(islice(self._ready, _VECTOR))

    def written(self, size: int) -> None:
        """So many bytes of `ready` are gone."""
        while size:
            first = self._ready[0]
            if size < len(first):
                self._ready[0] = first[size:]
                self._ready_bytes -= size
                return
            size -= len(first)
            self._ready_bytes -= len(first) + ALLOWANCE
            self._ready.popleft()

    def abandon(self) -> None:
        """The receiver is gone: forget everything, and take nothing more."""
        self._abandoned, self._framing = True, Framing(0)
        self._held.clear()
        self._ready.clear()
        self._held_bytes = self._ready_bytes = 0

    def _judge(self, unit: Unit, decision: Decision, now_s: float) -> None:
        if decision.dropped:
            self._counts.dropped += 1
            return
        self._counts.delayed += decision.delay_s > 0
        self._counts.reordered += decision.held_s > 0
        self._counts.duplicated += decision.copies
        due_s = self._in_order(now_s + decision.delay_s) + decision.held_s
        for copy in range(decision.copies + 1):
            self._hold(unit, due_s, is_copy=copy > 0)

    def _in_order(self, due_s: float) -> float:
        """Not before those that were taken before; one that is held back besides is waited for by nobody."""
        self._last_due_s = max(self._last_due_s, due_s)
        return self._last_due_s

    def _hold(self, unit: Unit, due_s: float, *, is_copy: bool = False) -> None:
        self._order += 1
        self._held_bytes += len(unit.data) + ALLOWANCE
        heapq.heappush(self._held, (due_s, self._order, unit, is_copy))
