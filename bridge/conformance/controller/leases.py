"""Checks of leases: one commander, tokens that only grow, roles."""

from __future__ import annotations

from tandem.bridge.client.link import Grant
from tandem.bridge.conformance.controller.bench import Bench, Skipped
from tandem.bridge.conformance.controller.probe import Probe
from tandem.bridge.conformance.law import require
from tandem.bridge.wire.refusal import Refusal

NEVER_GIVEN = 1000  # added to a token


def one_commander(bench: Bench) -> str:
    """While one holds the lease, another is refused it."""
    bench.acquire()
    with bench.another() as other:
        return bench.expect_refusal(other.acquire, Refusal.LEASE_TAKEN)


def tokens_grow(bench: Bench) -> str:
    """Every lease has a higher fencing token than the one before, and a new epoch."""
    first = bench.acquire()
    bench.tidy()
    second = bench.acquire()
    require(second.token > first.token, f"token {first.token}, then {second.token}")
    require(second.epoch > first.epoch, f"epoch {first.epoch}, then {second.epoch}")
    return f"{first.token}, then {second.token}"


def _command_refused(bench: Bench, grant: Grant, *codes: Refusal) -> str:
    before, row = bench.probe.standing(), bench.swing()
    evidence = bench.expect(bench.probe.chunk(grant, row[None]), *codes)
    bench.unmoved(before)
    return evidence


def stale_lease(bench: Bench) -> str:
    """A command under a lease that was released moves nothing and is refused."""
    old = bench.acquire()
    bench.tidy()
    bench.acquire()
    return _command_refused(bench, Grant(old.token, bench.grant.epoch), Refusal.STALE_LEASE)


def wrong_token(bench: Bench) -> str:
    """A command under a token that nobody was given moves nothing and is refused."""
    grant = bench.acquire()
    return _command_refused(bench, Grant(grant.token + NEVER_GIVEN, grant.epoch), Refusal.STALE_LEASE)


def no_lease(bench: Bench) -> str:
    """A command without a lease moves nothing and is refused."""
    return _command_refused(bench, Grant(0, bench.probe.state().epoch), Refusal.NO_LEASE, Refusal.STALE_LEASE)


def observers_command_nothing(bench: Bench) -> str:
    """An observer's key is refused the lease, and a command that names the holder's."""
    if bench.observer is None:
        raise Skipped("no observer's key was given (--observer-key)")
    grant = bench.acquire()
    before, row = bench.probe.standing(), bench.swing()
    observer = Probe(bench.observer, "checker-observer")
    try:
        evidence = bench.expect_refusal(observer.link.acquire, Refusal.FORBIDDEN)
        bench.expect(observer.chunk(grant, row[None]), Refusal.FORBIDDEN)
    finally:
        observer.close()
    bench.unmoved(before)
    return evidence


def take_over(bench: Bench) -> str:
    """A supervisor takes the lease over, and the old one is stale from then on."""
    bench.needs_supervisor()
    grant = bench.acquire()
    with bench.another(bench.supervisor, "checker-supervisor") as other:
        taken = other.acquire(force=True)
        try:
            require(taken.token > grant.token, f"token {grant.token}, then {taken.token}")
            require(taken.epoch > grant.epoch, f"epoch {grant.epoch}, then {taken.epoch}")
            return _command_refused(bench, Grant(grant.token, taken.epoch), Refusal.STALE_LEASE)
        finally:
            other.release(taken)


CHECKS = (one_commander, tokens_grow, stale_lease, wrong_token, no_lease, observers_command_nothing, take_over)
