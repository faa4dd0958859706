"""The five sockets of a controller, bound, guarded and bounded."""

from __future__ import annotations

from dataclasses import dataclass

import zmq

from tandem.bridge.contract.errors import InvalidOption
from tandem.bridge.security import Security, find_dead_cables
from tandem.bridge.wire.codec import MAX_FRAME
from tandem.bridge.wire.kinds import Port

KINDS = {
    Port.CONTROL: zmq.ROUTER, Port.COMMAND: zmq.ROUTER, Port.STATE: zmq.PUB, Port.MEDIA: zmq.PUB, Port.STOP: zmq.ROUTER,
}
HIGH_WATER = {Port.CONTROL: 100, Port.COMMAND: 16, Port.STATE: 5000, Port.MEDIA: 60, Port.STOP: 16}
LAST_PORT = 65535 - len(Port) + 1  # the other sockets follow the first
MAX_PREAUTH = 16 * MAX_FRAME  # libzmq closes a connection beyond; above MAX_FRAME the message is refused with a reason


@dataclass(frozen=True)
class Address:
    """Where a controller is to be reached.

    Attributes:
        host: address to bind.
        port: of the control socket, the other four follow; 0 for any that are free.
    """

    host: str = "127.0.0.1"
    port: int = 0

    def __post_init__(self):
        if not 0 <= self.port <= LAST_PORT:
            raise InvalidOption(f"--port must be from 1 to {LAST_PORT}, or 0 for any that are free; got {self.port}")

    def of(self, port: Port) -> str:
        """Endpoint to bind for one of the sockets."""
        return f"tcp://{_bracketed(self.host)}:{self.port + list(Port).index(port) if self.port else '*'}"

    @property
    def reachable(self) -> str:
        """The host as a client on this computer writes it."""
        return "127.0.0.1" if self.host in ("*", "0.0.0.0") else _bracketed(self.host)


def _bracketed(host: str) -> str:
    """An IPv6 address as an endpoint holds it; any other host as it is."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def bind(context: zmq.Context, port: Port, address: Address, security: Security) -> tuple[zmq.Socket, int]:
    """A socket and the TCP port that it got. Raises `InvalidOption` when the address is taken or not here."""
    socket = context.socket(KINDS[port])
    socket.linger, socket.sndhwm, socket.rcvhwm = 0, HIGH_WATER[port], HIGH_WATER[port]
    socket.maxmsgsize = MAX_PREAUTH
    find_dead_cables(socket)
    if KINDS[port] == zmq.ROUTER:
        socket.router_mandatory = True
    socket.ipv6 = ":" in address.host
    security.serve(socket)
    try:
        socket.bind(address.of(port))
    except zmq.ZMQError as reason:
        socket.close()
        words = f"cannot bind {address.of(port)}: {reason.strerror}; choose another --bind or --port"
        raise InvalidOption(words) from reason
    return socket, int(socket.last_endpoint.decode().rstrip("\0").rsplit(":", 1)[1])
