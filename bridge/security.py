"""Who is at the other end: CURVE with an allow-list (ZAP), or plain on loopback and nowhere else.

The identity of a peer is the key that its connection was authenticated with, read off every frame; nothing that a
message says of itself counts. On plain loopback every process of this computer is let in with one role.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from pathlib import Path

import zmq
from zmq.auth.thread import ThreadAuthenticator

from tandem.bridge.contract.errors import InvalidOption
from tandem.bridge.keys import CONTROLLER, KeyPair, load_allowed, load_pair
from tandem.bridge.roles import Peer, Role

MAX_NAMED = 256  # connections whose peer is remembered; a flood of names pushes out others
DOMAIN = "tandem"  # pyzmq looks a named domain up by name only: "*" would deny everybody


def is_loopback(host: str) -> bool:
    """Whether an address reaches this computer only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class PlainSecurity:
    """No encryption and no keys: loopback only.

    Args:
        role: what every process of this computer may do.
    """

    name = "plain"

    def __init__(self, role: Role = Role.SUPERVISOR):
        self._role = role
        self._named = lru_cache(MAX_NAMED)(self._peer_named)  # of every message, and always the same few

    def guard(self, context: zmq.Context) -> None:
        """Nothing to do."""

    def serve(self, socket: zmq.Socket) -> None:
        """Nothing to do."""

    def peer_of(self, route: bytes, frame: zmq.Frame) -> Peer | None:
        """Named by what the process calls its connection; further connections of it add "/" and a word."""
        return self._named(route)

    def _peer_named(self, route: bytes) -> Peer:
        identity = route.split(b"/")[0].decode("utf-8", "replace")
        return Peer(identity, self._role, identity.split("-")[0])

    def close(self) -> None:
        """Nothing to do."""


class CurveSecurity:
    """Encrypted, and only for keys on the allow-list.

    Args:
        folder: with the controller's pair and `allowed.toml`. Raises `KeyProblem`.
    """

    name = "curve"

    def __init__(self, folder: Path):
        self._pair: KeyPair = load_pair(folder, CONTROLLER)
        self._allowed = load_allowed(folder)
        self._authenticators: list[ThreadAuthenticator] = []

    def callback(self, domain: str, key: bytes) -> bool:
        """Whether a public key (z85) is let in; called by the authenticator."""
        return key.decode() in self._allowed

    def guard(self, context: zmq.Context) -> None:
        """Answer the questions that this context's sockets ask about those who connect."""
        authenticator = ThreadAuthenticator(context)
        authenticator.start()
        authenticator.configure_curve_callback(domain=DOMAIN, credentials_provider=self)
        self._authenticators.append(authenticator)

    def serve(self, socket: zmq.Socket) -> None:
        """Make a socket a CURVE server; before it is bound."""
        socket.curve_server = True
        socket.curve_publickey, socket.curve_secretkey = self._pair.public.encode(), self._pair.secret.encode()
        socket.zap_domain = DOMAIN.encode()

    def peer_of(self, route: bytes, frame: zmq.Frame) -> Peer | None:
        """By the key that the connection was authenticated with; None when that is not on the list."""
        allowed = self._allowed.get(str(frame.get("User-Id")))
        return Peer(allowed.public, allowed.role, allowed.name) if allowed else None

    def close(self) -> None:
        """Stop answering."""
        for authenticator in self._authenticators:
            authenticator.stop()
        self._authenticators.clear()


Security = PlainSecurity | CurveSecurity


def security_for(host: str, folder: Path | None, role: Role = Role.SUPERVISOR) -> Security:
    """CURVE when there is a folder of keys; plain without one, on loopback only.

    Args:
        host: the address to bind.
        folder: of keys, None for plain.
        role: of everybody on plain loopback.

    Raises:
        InvalidOption: plain on an address that others can reach.
        KeyProblem: a key is missing or damaged.
    """
    if folder is not None:
        return CurveSecurity(folder)
    if not is_loopback(host):
        raise InvalidOption(
            f"{host} can be reached from outside this computer: give --keys FOLDER (make one: python launch/keys.py "
            "init), or bind 127.0.0.1"
        )
    return PlainSecurity(role)


def join(socket: zmq.Socket, mine: KeyPair | None, controller: str | None) -> None:
    """Make a socket a CURVE client; before it connects. Plain when there is no key.

    Args:
        socket: any client's.
        mine: this side's pair.
        controller: the controller's public key, z85.
    """
    if mine is None:
        return
    socket.curve_publickey, socket.curve_secretkey = mine.public.encode(), mine.secret.encode()
    socket.curve_serverkey = controller.encode()


def find_dead_cables(socket: zmq.Socket) -> None:
    """TCP keepalive, a few seconds; that a program is dead is found by what it says no more.

    Not ZMTP's own heartbeats: with them libzmq 4.3.5 aborts the whole process ("Assertion failed: _input_stopped") as
    soon as a socket's high-water mark is reached while they are on, so that anybody could end a controller by sending
    too much.
    """
    socket.tcp_keepalive, socket.tcp_keepalive_idle = 1, 2
    socket.tcp_keepalive_intvl, socket.tcp_keepalive_cnt = 1, 3
