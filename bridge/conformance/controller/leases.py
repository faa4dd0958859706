"""Checks of leases: one commander, tokens that only grow, roles."""

from __future__ import annotations

from tandem.bridge.client.link import Grant, Link
from tandem.bridge.conformance.controller.bench import Bench, Skipped
from tandem.bridge.wire.refusal import Refusal


def one_commander(bench: Bench) -> str:
    """While one holds the lease, another is refused it."""
    bench.acquire()
    other = Link(bench.contact, name="checker-other")
    try:
        return bench.expect_refusal(other.acquire, Refusal.LEASE_TAKEN)
    finally:
        other.close()


def tokens_grow(bench: Bench) -> str:
    """Every lease has a higher fencing token than the one before, and a new epoch."""
    first = bench.acquire()
    bench.tidy()
    second = bench.acquire()
    assert second.token > first.token, f"{first.token}, then {second.token}"
    assert second.epoch > first.epoch, f"epoch {first.epoch}, then {second.epoch}"
    return f"{first.token}, then {second.token}"


def stale_lease(bench: Bench) -> str:
    """A command under a lease that has ended moves nothing and is refused."""
    old = bench.acquire()
    bench.tidy()
    bench.acquire()
    before, row = bench.probe.standing(), bench.swing()
    said = bench.probe.chunk(Grant(old.token, bench.grant.epoch), row[None])
    evidence = bench.expect(said, Refusal.STALE_LEASE)
    bench.unmoved(before)
    return evidence


def no_lease(bench: Bench) -> str:
    """A command without a lease moves nothing and is refused."""
    before, row = bench.probe.standing(), bench.swing()
    said = bench.probe.chunk(Grant(0, bench.probe.state().epoch), row[None])
    evidence = bench.expect(said, Refusal.NO_LEASE, Refusal.STALE_LEASE)
    bench.unmoved(before)
    return evidence


def observers_command_nothing(bench: Bench) -> str:
    """An observer's key is refused the lease."""
    if bench.observer is None:
        raise Skipped("no observer's key was given")
    observer = Link(bench.observer, name="checker-observer")
    try:
        return bench.expect_refusal(observer.acquire, Refusal.FORBIDDEN)
    finally:
        observer.close()


def take_over(bench: Bench) -> str:
    """A supervisor takes the lease over, and the old one is stale from then on."""
    grant = bench.acquire()
    other = Link(bench.supervisor or bench.contact, name="checker-supervisor")
    try:
        taken = other.acquire(force=True)
        assert taken.token > grant.token, "the token did not grow"
        said = bench.probe.chunk(Grant(grant.token, taken.epoch), bench.swing()[None])
        evidence = bench.expect(said, Refusal.STALE_LEASE)
        other.release(taken)
        return evidence
    finally:
        other.close()


CHECKS = (one_commander, tokens_grow, stale_lease, no_lease, observers_command_nothing, take_over)
