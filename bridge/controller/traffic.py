"""What goes into the core and comes out of it: frames with who sent them, and where to."""

from __future__ import annotations

from dataclasses import dataclass

from tandem.bridge.roles import Peer
from tandem.bridge.wire.kinds import Port


@dataclass(eq=False, slots=True)
class Incoming:
    """A frame from a peer.

    Attributes:
        port: the socket it came in by.
        route: the ROUTER's name for the connection: where an answer goes.
        peer: who sent it, as the connection was authenticated.
        frame: the bytes, unread.
    """

    port: Port
    route: bytes
    peer: Peer
    frame: bytes


@dataclass(eq=False, slots=True)
class Outgoing:
    """A message on its way out.

    Attributes:
        port: the socket that it leaves by.
        route: where to on a ROUTER; the topic on a PUB.
        frame: the bytes.
        attached: a second frame (a picture), None for none.
    """

    port: Port
    route: bytes
    frame: bytes
    attached: bytes | None = None
