"""Whether a TCP port answers, and who is behind it, before anything of the bridge is said."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Iterator

from machine import Finding

from tandem.bridge.client import Link

PATIENCE_S = 3.0
_OPENING = b"\xff" + bytes(8) + b"\x7f\x03\x01"  # of a greeting: signature and version (RFC 37/ZMTP, section 3.1)
_GREETING_BYTES = 64
_MECHANISM = slice(12, 32)
_START = "start it there: python launch/controller.py --bind ADDRESS --port PORT --keys FOLDER"


def reach(host: str, port: int) -> tuple[Finding, str]:
    """The control socket's port, whether ZeroMQ is behind it, and its `mechanism`."""
    try:
        took_us = _connect(host, port)
    except OSError as reason:
        return Finding("reach", "fail", *_explained(reason, host, port, _START)), ""
    if not (spoken := mechanism(host, port)):
        detail = f"somebody listens at {host}:{port}, but it does not speak ZMTP 3: no controller"
        return Finding("reach", "fail", detail, "correct the port: the controller prints it when it starts"), ""
    return Finding("reach", "ok", f"{host}:{port} in {took_us:.0f} us, speaks ZMTP, mechanism {spoken}"), spoken


def ports(link: Link) -> Iterator[Finding]:
    """All five ports, each with the time that it took."""
    took = []
    for name, port in link.ports.items():
        try:
            took.append(f"{name} {port} {_connect(link.contact.host, port):.0f} us")
        except OSError as reason:
            detail, remedy = _explained(reason, link.contact.host, port, "start the controller there again")
            yield Finding("ports", "fail", f"{name}: {detail}", remedy)
            return
    yield Finding("ports", "ok", ", ".join(took))


def mechanism(host: str, port: int) -> str:
    """How ZeroMQ guards this port: "NULL" (plain) or "CURVE"; "" when whoever is there does not speak ZMTP 3.

    Half a greeting, then hung up: whoever is there sees a client that went away.
    """
    greeting = b""
    try:
        with socket.create_connection((_bare(host), port), timeout=PATIENCE_S) as connection:
            connection.sendall(_OPENING)
            while len(greeting) < _GREETING_BYTES and (part := connection.recv(_GREETING_BYTES - len(greeting))):
                greeting += part
    except OSError:
        return ""
    if len(greeting) < _GREETING_BYTES or greeting[0] != 0xFF or greeting[9] != 0x7F or greeting[10] < 3:
        return ""
    return greeting[_MECHANISM].rstrip(b"\0").decode("ascii", "replace")


def _connect(host: str, port: int) -> float:
    begin = time.perf_counter()
    socket.create_connection((_bare(host), port), timeout=PATIENCE_S).close()
    return (time.perf_counter() - begin) * 1e6


def _bare(host: str) -> str:
    return host.strip("[]")


def _explained(reason: OSError, host: str, port: int, start: str) -> tuple[str, str]:
    """What happened, and the remedy."""
    match reason:
        case socket.gaierror():
            return f"there is no host {host!r}", "correct the name, or use its address"
        case ConnectionRefusedError():
            return f"nobody listens at {host}:{port} (refused)", start
        case TimeoutError():
            remedy = f"open port {port} in the firewalls on the way, or correct the address"
            return f"{host}:{port} does not answer within {PATIENCE_S:g} s: filtered, or nobody is there", remedy
    if reason.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH):
        return f"no way to {host}: {reason.strerror}", "look at cable, network and address (ip route)"
    return f"{host}:{port}: {reason.strerror or reason}", "look at the network"
