"""Frames between gateway and servo: an ipc pair, every part of an `Incoming` or `Outgoing` a frame of its own."""

from __future__ import annotations

import zmq

from tandem.bridge.controller.traffic import Incoming, Outgoing
from tandem.bridge.roles import Peer, Role
from tandem.bridge.wire.kinds import Port

QUIT = b"quit"
JOURNAL = b"journal"


def pack_incoming(incoming: Incoming) -> list[bytes]:
    """For the servo."""
    peer = incoming.peer
    return [
        incoming.port.encode(), incoming.route, peer.identity.encode(), peer.role.encode(), peer.name.encode(),
        incoming.frame,
    ]


def unpack_incoming(frames: list[bytes]) -> Incoming:
    """In the servo."""
    port, route, identity, role, name, frame = frames
    return Incoming(Port(port.decode()), route, Peer(identity.decode(), Role(role.decode()), name.decode()), frame)


def pack_outgoing(outgoing: Outgoing) -> list[bytes]:
    """For the gateway."""
    return [outgoing.port.encode(), outgoing.route, outgoing.frame]


def unpack_outgoing(frames: list[bytes]) -> Outgoing:
    """In the gateway."""
    port, route, frame = frames
    return Outgoing(Port(port.decode()), route, frame)


def pair(context: zmq.Context, endpoint: str, *, bind: bool) -> zmq.Socket:
    """One end of a pair that never blocks and never waits at the end."""
    socket = context.socket(zmq.PAIR)
    socket.linger, socket.sndhwm, socket.rcvhwm = 0, 5000, 5000
    if bind:
        socket.bind(endpoint)
    else:
        socket.connect(endpoint)
    return socket
