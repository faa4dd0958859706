"""Checks of what is refused: each message is wrong in one way, is told so, and moves nothing."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from tandem.bridge.conformance.controller.bench import DT_NS, Bench, Skipped
from tandem.bridge.conformance.law import require
from tandem.bridge.wire.message import Message
from tandem.bridge.wire.refusal import Refusal

BEYOND = 1.25  # of what the protocol allows: clocks are not known to the millisecond
REPORT_S = 1.0
AGE_NS = 400_000_000


def _refused(bench: Bench, code: Refusal, *, value: float | None = None, rows: int = 1, **changes: Any) -> str:
    """Under a good lease, a chunk for a small swing with these changes."""
    grant = bench.grant or bench.acquire()
    before, row = bench.probe.standing(), bench.swing()
    actions = np.repeat(row[None], rows, axis=0)
    if value is not None:
        actions[-1, 0] = value
    return _expect_unmoved(bench, code, before, bench.probe.chunk(grant, actions, **changes))


def _expect_unmoved(bench: Bench, code: Refusal, before: np.ndarray, said: Any) -> str:
    evidence = bench.expect(said, code)
    bench.unmoved(before)
    return evidence


def nan(bench: Bench) -> str:
    """NaN is refused."""
    return _refused(bench, Refusal.NOT_FINITE, value=np.nan)


def infinity(bench: Bench) -> str:
    """Infinity is refused."""
    return _refused(bench, Refusal.NOT_FINITE, value=-np.inf, rows=3)


def wrong_names(bench: Bench) -> str:
    """A chunk for other joints is refused."""
    names = ("no_such_joint", *bench.spec.action.names[1:])
    return _refused(bench, Refusal.WRONG_NAMES, names=names)


def doubled_name(bench: Bench) -> str:
    """A chunk that names one joint twice is refused."""
    names = (bench.spec.action.names[1], *bench.spec.action.names[1:])
    return _refused(bench, Refusal.WRONG_NAMES, names=names)


def missing_name(bench: Bench) -> str:
    """A chunk that leaves a joint out is refused."""
    grant = bench.acquire()
    before, row = bench.probe.standing(), bench.swing()
    said = bench.probe.chunk(grant, row[None, :-1], names=bench.spec.action.names[:-1])
    return _expect_unmoved(bench, Refusal.WRONG_NAMES, before, said)


def wrong_shape(bench: Bench) -> str:
    """A chunk whose numbers fill no whole rows is refused."""
    grant = bench.acquire()
    before, row = bench.probe.standing(), bench.swing()
    return _expect_unmoved(bench, Refusal.WRONG_SHAPE, before, bench.probe.chunk(grant, np.append(row, 0.0)))


def endless_life(bench: Bench) -> str:
    """A time to live beyond the declared one is refused."""
    return _refused(bench, Refusal.WRONG_TTL, ttl=round((bench.limits["max_ttl_s"] + 1) * 1e9))


def no_life(bench: Bench) -> str:
    """A time to live of nothing is refused."""
    return _refused(bench, Refusal.WRONG_TTL, ttl=0)


def expired(bench: Bench) -> str:
    """A chunk older than its time to live is refused, though some of its actions lie ahead."""
    rows = 2 * AGE_NS // DT_NS
    return _refused(bench, Refusal.EXPIRED, rows=rows, t0=bench.probe.state().t - AGE_NS, ttl=AGE_NS // 2)


def too_late(bench: Bench) -> str:
    """A chunk all of whose actions are late is refused, though its time to live is not over."""
    return _refused(bench, Refusal.EXPIRED, t0=bench.probe.state().t - AGE_NS)


def from_the_future(bench: Bench) -> str:
    """A chunk for a time far ahead is refused: the clocks disagree."""
    ahead = round((bench.limits["max_lead_s"] + 5) * 1e9)
    return _refused(bench, Refusal.FROM_THE_FUTURE, t0=bench.probe.state().t + ahead)


def stale_epoch(bench: Bench) -> str:
    """A chunk of an earlier epoch is refused."""
    return _refused(bench, Refusal.STALE_EPOCH, epoch=bench.acquire().epoch - 1)


def epoch_to_come(bench: Bench) -> str:
    """A chunk of an epoch that has not begun is refused: no action is ordered in advance."""
    return _refused(bench, Refusal.STALE_EPOCH, epoch=bench.acquire().epoch + 1)


def wrong_session(bench: Bench) -> str:
    """A chunk for an earlier start of the controller is refused."""
    return _refused(bench, Refusal.WRONG_SESSION, session="0" * 16)


def a_replayed_command(bench: Bench) -> str:
    """A chunk whose number was used before is refused, and one whose number is lower."""
    used = _used_number(bench)
    _refused(bench, Refusal.REPLAYED, seq=used - 1)
    return _refused(bench, Refusal.REPLAYED, seq=used)


def _used_number(bench: Bench) -> int:
    """Of a chunk that was accepted under a new lease, and led nowhere."""
    bench.acquire()
    bench.go(bench.probe.standing(), 0.1)
    used = bench.link._seq
    bench.settle(0.1)
    return used


def odd_times(bench: Bench) -> str:
    """A chunk with a dt beyond 1 ms to 1 s is refused."""
    for dt in (0, 999_999, 1_000_000_001, 2**63 - 1):
        evidence = _refused(bench, Refusal.MALFORMED, dt=dt)
    return evidence


def order_of_checks(bench: Bench) -> str:
    """A chunk that is wrong in every way is told so in the declared order, one reason after the other."""
    used = _used_number(bench)
    names = bench.spec.action.names
    wrong: dict[str, tuple[Refusal, dict[str, Any]]] = {
        "session": (Refusal.WRONG_SESSION, {"session": "0" * 16}),
        "lease": (Refusal.STALE_LEASE, {"lease": bench.grant.token - 1 or bench.grant.token + 1}),
        "epoch": (Refusal.STALE_EPOCH, {"epoch": bench.grant.epoch - 1}),
        "sequence": (Refusal.REPLAYED, {"seq": used}),
        "time to live": (Refusal.WRONG_TTL, {"ttl": 0}),
        "age": (Refusal.EXPIRED, {"t0": bench.probe.state().t - 10 * AGE_NS}),
        "names": (Refusal.WRONG_NAMES, {"names": ("no_such_joint", *names[1:])}),
    }
    before = bench.probe.standing()
    for stage in tuple(wrong):
        changes = {name: value for _, change in wrong.values() for name, value in change.items()}
        said = bench.probe.chunk(bench.grant, np.append(before, 0.0), **changes)
        bench.expect(said, wrong.pop(stage)[0])
    bench.expect(bench.probe.chunk(bench.grant, np.append(before, 0.0)), Refusal.WRONG_SHAPE)
    bench.unmoved(before)
    return "session, lease, epoch, sequence, time to live, age, names, shape"


def far_start(bench: Bench) -> str:
    """A first action too far from where the arm stands is refused."""
    bench.may_move()  # it does not move; but a controller that breaks this law would let it leap
    grant, spec = bench.acquire(), bench.spec
    before, low, high = bench.probe.standing(), spec.position_low[0], spec.position_high[0]
    allowed = bench.limits["start_guard"] + spec.velocity_limit[0] * DT_NS * 1e-9
    room, far = max(high - before[0], before[0] - low), BEYOND * allowed
    if room <= far:
        raise Skipped(f"{spec.joint_names[0]} has {room:.3g} of range ahead, and {allowed:.3g} are allowed")
    row = before.copy()
    row[0] += far if high - before[0] == room else -far
    return _expect_unmoved(bench, Refusal.START_POSE, before, bench.probe.chunk(grant, row[None], ttl=2 * DT_NS))


def reports(bench: Bench) -> str:
    """What is refused or dropped of a chunk is also told on the state socket, with a code and the chunk's number."""
    grant = bench.grant or bench.acquire()
    before = bench.probe.standing()
    refused = bench.probe.chunk(grant, before[None], names=(*bench.spec.action.names[:-1], "nobody"))
    bench.expect(refused, Refusal.WRONG_NAMES)
    first = _reported(bench, refused["id"])
    require(first["code"] == Refusal.WRONG_NAMES, "the report of a refusal must give its code.", first["code"])
    rows, t0 = np.repeat(before[None], 10, axis=0), bench.probe.state().t - 4 * DT_NS
    second = _reported(bench, bench.accepted(bench.probe.chunk(grant, rows, t0=t0))["chunk"])
    bench.settle(len(rows) * DT_NS * 1e-9)
    return f"{first['stage']} {first['code']}, then {second['stage']} {second['code']}"


def _reported(bench: Bench, number: int) -> Message:
    end = time.monotonic() + REPORT_S
    while time.monotonic() < end:
        for message in bench.link.watcher.events:
            if message.kind == "report" and message["chunk"] == number:
                return message
        time.sleep(0.01)
    raise AssertionError(f"no report on the state socket names chunk {number}")


CHECKS = (
    nan, infinity, wrong_names, doubled_name, missing_name, wrong_shape, endless_life, no_life, expired, too_late,
    from_the_future, stale_epoch, epoch_to_come, wrong_session, a_replayed_command, order_of_checks,
    far_start, reports, odd_times,  # the last, as a dt of 0 may end a controller that does not look at it
)
