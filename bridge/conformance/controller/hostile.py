"""Checks with frames that no client would send: the controller answers or hangs up, and lives."""

from __future__ import annotations

import os
import time

from tandem.bridge.conformance.controller.bench import Bench
from tandem.bridge.conformance.law import require
from tandem.bridge.wire.codec import encode
from tandem.bridge.wire.kinds import Port
from tandem.bridge.wire.message import Message
from tandem.bridge.wire.refusal import Refusal


def _alive(bench: Bench) -> None:
    bench.probe.state()
    bench.link.request("status")


def malformed_frames(bench: Bench) -> str:
    """Frames that are no message are refused."""
    for port in (Port.CONTROL, Port.COMMAND, Port.STOP):
        for frame in (b"", b"\x00", b"\xc1" * 40, b"{}", os.urandom(300), b"\x91" * 5000):
            bench.expect(bench.probe.raw(port, frame), Refusal.MALFORMED, Refusal.UNSUPPORTED_VERSION)
    _alive(bench)
    return "18 refused"


def several_frames(bench: Bench) -> str:
    """A message of several frames is refused."""
    evidence = bench.expect(bench.probe.raw(Port.COMMAND, b"\x80", b"\x80"), Refusal.MALFORMED)
    _alive(bench)
    return evidence


def oversized_frames(bench: Bench) -> str:
    """A frame that is too large is refused, or the connection closed."""
    said = bench.probe.raw(Port.COMMAND, bytes(round(bench.limits["max_frame"]) + 1))
    evidence = bench.expect(said, Refusal.OVERSIZED) if said else "hung up"
    bench.probe.raw(Port.COMMAND, bytes(2 * 2**20), patience_s=0.3)
    time.sleep(0.2)
    _alive(bench)
    return evidence


def wrong_socket(bench: Bench) -> str:
    """A kind that belongs to another socket is refused."""
    said = bench.probe.ask("ping")
    require(getattr(said, "kind", "") == "pong", "a ping must be answered with a pong.", said)
    evidence = bench.expect(bench.probe.raw(Port.COMMAND, encode(Message("ping", {"id": 1}))), Refusal.UNKNOWN_KIND)
    _alive(bench)
    return evidence


CHECKS = (malformed_frames, several_frames, oversized_frames, wrong_socket)
