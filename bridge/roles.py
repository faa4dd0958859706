"""Who may do what. A role comes with an authenticated key, never with a message."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tandem.bridge.contract.errors import UnknownName
from tandem.bridge.wire.refusal import Refusal, Refused


class Role(StrEnum):
    """From the least to the most."""

    OBSERVER = "observer"  # sees everything, and may stop the arm
    COMMANDER = "commander"  # may also hold the lease and command motion
    SUPERVISOR = "supervisor"  # a person: may also take the lease over and clear faults


ORDER = (Role.OBSERVER, Role.COMMANDER, Role.SUPERVISOR)
_NEEDS = {
    "acquire": Role.COMMANDER, "renew": Role.COMMANDER, "release": Role.COMMANDER, "reset": Role.COMMANDER,
    "step": Role.COMMANDER, "chunk": Role.COMMANDER, "clear": Role.SUPERVISOR,
}


def role_named(name: str) -> Role:
    """The role of that name. Raises `UnknownName` listing those that exist."""
    if name not in list(Role):
        raise UnknownName("role", name, list(Role))
    return Role(name)


@dataclass(frozen=True)
class Peer:
    """Who sent a message.

    Attributes:
        identity: the public key (z85) that the connection was authenticated with; on plain loopback the name that the
            process gave its connection.
        role: of that key.
        name: as the allow-list calls it.
    """

    identity: str
    role: Role
    name: str


def authorise(peer: Peer, kind: str) -> None:
    """Raise `Refused` (FORBIDDEN) unless the peer's role suffices for this kind of message."""
    needed = _NEEDS.get(kind, Role.OBSERVER)
    if ORDER.index(peer.role) < ORDER.index(needed):
        raise Refused(Refusal.FORBIDDEN, f"{kind} needs the role {needed}, {peer.name or 'this key'} is {peer.role}")
