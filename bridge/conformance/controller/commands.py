"""Checks of what is refused: each message is wrong in one way, is told so, and moves nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from tandem.bridge.conformance.controller.bench import Bench
from tandem.bridge.wire.refusal import Refusal


def _refused(bench: Bench, code: Refusal, *, value: float | None = None, rows: int = 1, **changes: Any) -> str:
    grant = bench.acquire()
    before, row = bench.probe.standing(), bench.swing()
    actions = np.repeat(row[None], rows, axis=0)
    if value is not None:
        actions[-1, 0] = value
    evidence = bench.expect(bench.probe.chunk(grant, actions, **changes), code)
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


def wrong_shape(bench: Bench) -> str:
    """A chunk whose numbers fill no whole rows is refused."""
    grant = bench.acquire()
    before, row = bench.probe.standing(), bench.swing()
    evidence = bench.expect(bench.probe.chunk(grant, np.append(row, 0.0)), Refusal.WRONG_SHAPE)
    bench.unmoved(before)
    return evidence


def endless_life(bench: Bench) -> str:
    """A time to live beyond the declared one is refused."""
    return _refused(bench, Refusal.WRONG_TTL, ttl=round((bench.limits["max_ttl_s"] + 1) * 1e9))


def expired(bench: Bench) -> str:
    """A chunk older than its time to live is refused."""
    return _refused(bench, Refusal.EXPIRED, t0=bench.probe.state().t - 400_000_000, ttl=200_000_000)


def from_the_future(bench: Bench) -> str:
    """A chunk for a time far ahead is refused: the clocks disagree."""
    ahead = round((bench.limits["max_lead_s"] + 5) * 1e9)
    return _refused(bench, Refusal.FROM_THE_FUTURE, t0=bench.probe.state().t + ahead)


def stale_epoch(bench: Bench) -> str:
    """A chunk of an earlier epoch is refused."""
    bench.acquire()
    return _refused_with(bench, Refusal.STALE_EPOCH, epoch=bench.grant.epoch - 1)


def wrong_session(bench: Bench) -> str:
    """A chunk for an earlier start of the controller is refused."""
    bench.acquire()
    return _refused_with(bench, Refusal.WRONG_SESSION, session="0" * 16)


def _refused_with(bench: Bench, code: Refusal, **changes: Any) -> str:
    before, row = bench.probe.standing(), bench.swing()
    evidence = bench.expect(bench.probe.chunk(bench.grant, row[None], **changes), code)
    bench.unmoved(before)
    return evidence


def far_start(bench: Bench) -> str:
    """A first action far from where the arm stands is refused."""
    grant = bench.acquire()
    before = bench.probe.standing()
    row = before.copy()
    low, high = bench.spec.position_low[0], bench.spec.position_high[0]
    row[0] = high if high - row[0] > row[0] - low else low
    evidence = bench.expect(bench.probe.chunk(grant, row[None]), Refusal.START_POSE)
    bench.unmoved(before)
    return evidence


CHECKS = (
    nan, infinity, wrong_names, doubled_name, wrong_shape, endless_life, expired, from_the_future, stale_epoch,
    wrong_session, far_start,
)
