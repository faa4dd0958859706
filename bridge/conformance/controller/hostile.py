"""Checks with frames that no client would send: the controller answers or hangs up, and lives."""

from __future__ import annotations

import random
import time

from tandem.bridge.conformance.controller.bench import Bench
from tandem.bridge.conformance.law import require
from tandem.bridge.wire.codec import encode
from tandem.bridge.wire.kinds import Port
from tandem.bridge.wire.message import Message
from tandem.bridge.wire.refusal import Refusal

INWARD = (Port.CONTROL, Port.COMMAND, Port.STOP)
TOO_LARGE, FAR_TOO_LARGE = 70_000, 2 * 2**20  # bytes
RECONNECT_S = 0.2


def _alive(bench: Bench) -> None:
    bench.probe.state()
    bench.link.request("status")


def malformed_frames(bench: Bench) -> str:
    """Frames that are no message are refused."""
    frames = (b"", b"\x00", b"\xc1" * 40, b"{}", random.Random(7).randbytes(300), b"\x91" * 5000)
    for port in INWARD:
        for frame in frames:
            bench.expect(bench.probe.raw(port, frame), Refusal.MALFORMED, Refusal.UNSUPPORTED_VERSION)
    _alive(bench)
    return f"{len(INWARD) * len(frames)} refused"


def several_frames(bench: Bench) -> str:
    """A message of several frames is refused."""
    for port in INWARD:
        evidence = bench.expect(bench.probe.raw(port, b"\x80", b"\x80"), Refusal.MALFORMED)
    _alive(bench)
    return evidence


def oversized_frames(bench: Bench) -> str:
    """A frame that is too large is refused, or the connection closed."""
    found = []
    for port in INWARD:
        for size in (round(bench.limits["max_frame"]) + 1, TOO_LARGE, FAR_TOO_LARGE):
            said = bench.probe.raw(port, bytes(size), patience_s=2.0 if size < 2**20 else 0.3)
            found.append(bench.expect(said, Refusal.OVERSIZED).split(":")[0] if said else "no answer")
    time.sleep(RECONNECT_S)
    _alive(bench)
    return ", ".join(sorted(set(found)))


def wrong_socket(bench: Bench) -> str:
    """A kind that belongs to another socket is refused."""
    said = bench.probe.ask("ping")
    require(getattr(said, "kind", "") == "pong", "a ping must be answered with a pong.", said)
    evidence = bench.expect(bench.probe.raw(Port.COMMAND, encode(Message("ping", {"id": 1}))), Refusal.UNKNOWN_KIND)
    _alive(bench)
    return evidence


CHECKS = (malformed_frames, several_frames, oversized_frames, wrong_socket)
