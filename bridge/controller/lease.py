"""One commander at a time: leases with a fencing token that only grows.

Whoever holds the lease must say so with every command and be heard of before it expires. A token that was once
superseded is never valid again, whatever arrives late.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from tandem.bridge.roles import Peer, Role
from tandem.bridge.wire.refusal import Refusal, Refused

MAX_STANDBY = 8


@dataclass
class Lease:
    """One lease.

    Attributes:
        token: the fencing token, at least 1.
        peer: who holds it.
        name: what the holder calls itself.
        heard: when it was last heard of, ns.
        seq: of its last command, -1 before the first.
    """

    token: int
    peer: Peer
    name: str
    heard: int
    seq: int = -1


@dataclass(frozen=True)
class Standby:
    """Somebody who waits for the lease, and the request to answer when it is theirs."""

    peer: Peer
    name: str
    route: bytes
    request: int
    renewed: int


class Leases:
    """Who holds the lease, and who waits for it.

    Args:
        lease_ns: life of a lease since its holder was last heard of.

    Attributes:
        holder: the present lease, None when free.
        token: the highest one given so far.
        standby: who waits, first come first.
    """

    def __init__(self, lease_ns: int):
        self._lease_ns = lease_ns
        self.holder: Lease | None = None
        self.token = 0
        self.standby: deque[Standby] = deque()

    def acquire(self, peer: Peer, name: str, now: int, *, force: bool = False) -> Lease:
        """A new lease. Raises `Refused`: LEASE_TAKEN, or FORBIDDEN when one who is no supervisor wants to take over."""
        if self.holder is not None and not force:
            raise Refused(Refusal.LEASE_TAKEN, f"{self.holder.name or self.holder.peer.name} holds the lease")
        if force and peer.role is not Role.SUPERVISOR:
            raise Refused(Refusal.FORBIDDEN, f"taking over needs the role {Role.SUPERVISOR}, this key is {peer.role}")
        self._forget(lambda other: _same(other, peer, name))
        self.token += 1
        self.holder = Lease(self.token, peer, name, now)
        return self.holder

    def wait(self, waiting: Standby) -> int:
        """Queue for the lease; returns the place, 1 for next. Asking again keeps the place."""
        self._forget(lambda other: self._gone(other, waiting.renewed))
        for place, other in enumerate(self.standby):
            if _same(other, waiting.peer, waiting.name):
                self.standby[place] = waiting
                return place + 1
        if len(self.standby) == MAX_STANDBY:
            raise Refused(Refusal.BUSY, f"{MAX_STANDBY} commanders wait already")
        self.standby.append(waiting)
        return len(self.standby)

    def check(self, peer: Peer, token: int) -> Lease:
        """The lease that a message claims to hold. Raises `Refused`: NO_LEASE or STALE_LEASE."""
        if token == 0:
            raise Refused(Refusal.NO_LEASE, "the message names no lease")
        if self.holder is None or token != self.holder.token:
            now = "nobody" if self.holder is None else self.holder.name or self.holder.peer.name
            raise Refused(Refusal.STALE_LEASE, f"lease {token} has ended; {now} holds the lease")
        if peer.identity != self.holder.peer.identity:
            raise Refused(Refusal.STALE_LEASE, f"lease {token} belongs to another key")
        return self.holder

    def release(self) -> None:
        """The holder lets go."""
        self.holder = None

    def expired(self, now: int) -> bool:
        """Whether the holder has not been heard of for too long."""
        return self.holder is not None and now - self.holder.heard > self._lease_ns

    def next_in_line(self, now: int) -> Standby | None:
        """Whose turn it is; those who have not asked again within the life of a lease have gone."""
        while self.standby:
            waiting = self.standby.popleft()
            if not self._gone(waiting, now):
                return waiting
        return None

    def _gone(self, waiting: Standby, now: int) -> bool:
        return now - waiting.renewed > self._lease_ns

    def _forget(self, which: Callable[[Standby], bool]) -> None:
        self.standby = deque(waiting for waiting in self.standby if not which(waiting))


def _same(waiting: Standby, peer: Peer, name: str) -> bool:
    return waiting.peer.identity == peer.identity and waiting.name == name
