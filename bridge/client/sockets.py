"""The client's sockets: nothing queues towards an arm, and nothing waits at the end."""

from __future__ import annotations

import zmq

from tandem.bridge.client.contact import Contact
from tandem.bridge.security import find_dead_cables, join
from tandem.bridge.wire.codec import MAX_REPLY

MEDIA_HIGH_WATER = 24  # frames: eight pictures
STATE_HIGH_WATER = 5000


def dealer(context: zmq.Context, contact: Contact, port: int | None, name: str) -> zmq.Socket:
    """A DEALER that sends only while it is connected and holds at most two messages back.

    Args:
        context: of the link.
        contact: whom to reach.
        port: TCP port, None for the control socket's.
        name: what the connection is called on the other side.
    """
    endpoint = contact.endpoint(port)
    socket = context.socket(zmq.DEALER)
    socket.routing_id = name.encode()
    socket.immediate, socket.sndhwm, socket.linger, socket.maxmsgsize = True, 2, 0, MAX_REPLY
    find_dead_cables(socket)
    socket.reconnect_ivl, socket.reconnect_ivl_max = 50, 500
    join(socket, contact.mine, contact.controller)
    socket.ipv6 = contact.is_ipv6
    socket.connect(endpoint)
    return socket


def subscriber(
    context: zmq.Context, contact: Contact, port: int, high_water: int, topics: tuple[bytes, ...]
) -> zmq.Socket:
    """A SUB that keeps at most so many messages."""
    socket = context.socket(zmq.SUB)
    socket.rcvhwm, socket.linger = high_water, 0
    find_dead_cables(socket)
    join(socket, contact.mine, contact.controller)
    socket.ipv6 = contact.is_ipv6
    for topic in topics:
        socket.subscribe(topic)
    socket.connect(contact.endpoint(port))
    return socket
