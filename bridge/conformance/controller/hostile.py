"""Checks with frames that no client would send: the controller answers or hangs up, and lives."""

from __future__ import annotations

import random
import time
from typing import Any

import msgpack

from tandem.bridge.conformance.controller.bench import Bench
from tandem.bridge.conformance.law import require
from tandem.bridge.wire.codec import encode
from tandem.bridge.wire.kinds import VERSION, Port
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


def _status(bench: Bench, **changes: Any) -> dict[str, Any]:
    """A good request as plain values, changed."""
    return {"v": VERSION, "kind": "status", "session": bench.link.session, "epoch": 0, "lease": 0, "seq": 1, "t": 1,
            "id": 1} | changes


def odd_fields(bench: Bench) -> str:
    """A request with a field too few, a field too many or a field of another type is refused."""
    good = _status(bench)
    lacking = [{name: good[name] for name in good if name != left} for left in ("id", "session", "lease", "t")]
    numbers = [_status(bench, id=odd) for odd in (-1, 2**63, 1.0, True, "1", None)]
    asked = _status(bench, kind="acquire", name="checker", standby=False, force=False)
    others = [asked | odd for odd in ({"standby": 0}, {"force": None}, {"name": 7}, {"name": "x" * 4097})]
    frames = [*lacking, *numbers, *others, _status(bench, unknown=1), asked | {"unknown": None}]
    for frame in frames:
        bench.expect(bench.probe.raw(Port.CONTROL, msgpack.packb(frame)), Refusal.MALFORMED)
    said = bench.probe.raw(Port.CONTROL, msgpack.packb(good))
    require(getattr(said, "kind", "") == "report_status", "the same without a mistake must be answered.", said)
    return f"{len(frames)} refused"


def unknown_kind(bench: Bench) -> str:
    """A kind that no page lists is refused."""
    said = bench.probe.raw(Port.CONTROL, msgpack.packb(_status(bench, kind="dance")))
    return bench.expect(said, Refusal.UNKNOWN_KIND)


def requests_of_another_session(bench: Bench) -> str:
    """A request for an earlier start of the controller is refused."""
    wrong = {"session": "0" * 16}
    bench.expect(bench.probe.ask("status", envelope=wrong), Refusal.WRONG_SESSION)
    asked = bench.probe.ask("acquire", envelope=wrong, name="checker", standby=False, force=False)
    return bench.expect(asked, Refusal.WRONG_SESSION)


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


CHECKS = (
    malformed_frames, odd_fields, unknown_kind, requests_of_another_session, several_frames, oversized_frames,
    wrong_socket,
)
