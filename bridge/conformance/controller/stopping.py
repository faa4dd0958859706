"""Checks of what stops: silence, a software stop, faults that stay until a supervisor clears them."""

from __future__ import annotations

import time

import numpy as np

from tandem.bridge.client.link import Link
from tandem.bridge.conformance.controller.bench import Bench
from tandem.bridge.wire.refusal import Refusal

SLACK_S = 0.15


def _braking_s(bench: Bench) -> float:
    spec = bench.spec
    return float(np.max(spec.velocity_limit / spec.acceleration_limit + 2 * spec.acceleration_limit / spec.jerk_limit))


def _life(bench: Bench) -> int:
    """A time to live beyond the motion's 3 s, ns."""
    return round(min(4.5, bench.limits["max_ttl_s"]) * 1e9)


def silence(bench: Bench) -> str:
    """When the commander falls silent in a motion the arm stops in the declared time, and a fault is latched."""
    bench.may_move()
    grant = bench.acquire()
    bench.link.watcher.let_go()  # no renewals from now on
    bench.accepted(bench.probe.chunk(grant, bench.line(bench.swing(), 3.0), ttl=_life(bench)))
    begin = time.monotonic()
    state = bench.probe.wait_mode("STOPPING", "HOLDING", "FAULT", "READY", deadline_s=3)
    bench.probe.wait_mode("HOLDING", "FAULT", "READY", deadline_s=3)
    took = time.monotonic() - begin
    bound = bench.limits["silence_s"] + _braking_s(bench) + SLACK_S
    assert took <= bound, f"it stood after {took:.2f} s, declared are {bound - SLACK_S:.2f} s"
    assert state.epoch > grant.epoch, "the epoch did not grow"
    bench.grant = None
    fault = bench.probe.wait_mode("FAULT", deadline_s=bench.limits["fault_s"] + 2)["fault"]
    bench.expect_refusal(bench.link.acquire, Refusal.FAULTED)
    bench.expect_refusal(lambda: bench.link.clear(fault + 1), Refusal.NO_SUCH_FAULT, Refusal.FORBIDDEN)
    bench.clear()
    return f"stood after {took:.2f} s of at most {bound - SLACK_S:.2f} s, then fault {fault}"


def a_software_stop(bench: Bench) -> str:
    """Anybody's stop ends a motion at once and stays latched; nothing moves until a supervisor clears it."""
    bench.may_move()
    grant = bench.acquire()
    bench.accepted(bench.probe.chunk(grant, bench.line(bench.swing(), 3.0), ttl=_life(bench)))
    bench.probe.wait_mode("ACTIVE")
    other = Link(bench.observer or bench.contact, name="checker-other")
    try:
        begin = time.monotonic()
        number = other.stop("a check of the software stop")
        bench.probe.wait_mode("FAULT", deadline_s=_braking_s(bench) + 1)
        took = time.monotonic() - begin
    finally:
        other.close()
    before = bench.probe.standing()
    epoch = bench.probe.state().epoch
    bench.expect(bench.probe.chunk(grant, before[None], epoch=epoch), Refusal.FAULTED, Refusal.STALE_LEASE)
    bench.unmoved(before)
    bench.grant = None
    bench.clear()
    return f"fault {number}, stood after {took:.2f} s"


CHECKS = (silence, a_software_stop)
