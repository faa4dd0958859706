"""Checks of leases: one commander, tokens that only grow, roles."""

from __future__ import annotations

import time
from contextlib import closing

from tandem.bridge.client.link import Grant
from tandem.bridge.conformance.controller.bench import Bench, Skipped
from tandem.bridge.conformance.controller.probe import Probe
from tandem.bridge.conformance.law import require
from tandem.bridge.roles import Role
from tandem.bridge.wire.kinds import Port
from tandem.bridge.wire.message import Message
from tandem.bridge.wire.refusal import Refusal

NEVER_GIVEN = 1000  # added to a token
LATE_S = 0.5


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


def anothers_lease(bench: Bench) -> str:
    """Who names the lease of another key commands nothing, renews nothing and gives nothing back."""
    if bench.link.welcome["security"] == "curve" and bench.supervisor is None:
        raise Skipped("one key is one holder, and no second one was given (--supervisor-key)")
    grant = bench.acquire()
    before, row = bench.probe.standing(), bench.swing()
    with closing(Probe(bench.supervisor or bench.contact, "checker-thief")) as thief:
        evidence = bench.expect(thief.chunk(grant, row[None]), Refusal.STALE_LEASE)
        named = {"lease": grant.token, "epoch": grant.epoch}
        bench.expect(thief.ask("renew", envelope=named, calls=0, idle=0), Refusal.STALE_LEASE)
        bench.expect(thief.ask("release", envelope=named), Refusal.STALE_LEASE)
    bench.unmoved(before)
    holds = bench.probe.state().lease
    require(holds == grant.token, "the holder must still hold the lease.", holds)
    return evidence


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


def an_expired_lease(bench: Bench) -> str:
    """The lease of a holder that is not heard of ends after lease_s, in a new epoch; its token is stale then."""
    grant = bench.acquire()
    held = bench.probe.state()
    require(held.lease == grant.token, "a state names the present lease.", held.lease)
    bench.link.watcher.let_go()
    began, life_s = time.monotonic(), bench.limits["lease_s"]
    ended = bench.link.watcher.wait(lambda state: state.lease == 0, life_s + LATE_S, "the end of the lease")
    took = time.monotonic() - began
    require(took > life_s / 2, f"it ended after {took:.2f} s, declared are {life_s:g} s")
    require(ended.epoch > grant.epoch, "a new epoch must begin.", ended.epoch)
    _command_refused(bench, Grant(grant.token, ended.epoch), Refusal.STALE_LEASE)
    return f"after {took:.2f} s"


def hand_over(bench: Bench) -> str:
    """A commander in line is told its place, and gets the lease, with a higher token, when the holder's expires."""
    grant = bench.acquire()
    with closing(Probe(bench.contact, "checker-next")) as waiting:
        asked = {"name": "checker-next", "standby": True, "force": False}
        _queued(waiting.ask("acquire", **asked))
        bench.link.watcher.let_go()
        time.sleep(bench.limits["lease_s"] / 2)
        _queued(waiting.ask("acquire", **asked))
        given = waiting.heard(Port.CONTROL, bench.limits["lease_s"] + LATE_S)
        require(given is not None, "the lease must be granted to who waits for it; nothing was said")
        require(given.kind == "granted", "what comes unasked must be granted.", given.kind)
        named = {"lease": given.lease, "epoch": given.epoch}
        try:
            require(given.lease > grant.token, f"token {grant.token}, then {given.lease}")
            require(given.epoch > grant.epoch, f"epoch {grant.epoch}, then {given.epoch}")
            return _command_refused(bench, Grant(grant.token, given.epoch), Refusal.STALE_LEASE)
        finally:
            waiting.ask("release", envelope=named)


def _queued(said: Message | None) -> None:
    kind = getattr(said, "kind", "nothing")
    require(kind == "queued", "who asks for a lease in line must be told its place.", kind)
    require(said["place"] == 1, "the only one in line must be next.", said["place"])


def only_supervisors_take_over(bench: Bench) -> str:
    """A commander's key is refused the lease of another, however it asks."""
    if bench.link.welcome["role"] != Role.COMMANDER:
        raise Skipped("the key that commands here is a supervisor's")
    bench.acquire()
    with bench.another() as other:
        return bench.expect_refusal(lambda: other.acquire(force=True), Refusal.FORBIDDEN)


def reset_without_a_lease(bench: Bench) -> str:
    """Who holds no lease resets nothing."""
    return bench.expect(bench.probe.ask("reset", options={}), Refusal.NO_LEASE, Refusal.STALE_LEASE)


def a_reset_begins_anew(bench: Bench) -> str:
    """A reset begins a new epoch under the same lease; what names the one before moves nothing and is refused."""
    if "reset" in bench.link.extensions:
        bench.may_move()  # a simulated arm is put elsewhere
    grant = bench.acquire()
    ready = bench.link.request(
        "reset", bench.limits["reset_s"] + LATE_S, epoch=grant.epoch, lease=grant.token, options={}
    )
    require(ready.epoch > grant.epoch, f"epoch {grant.epoch} before, then {ready.epoch}; a new one must begin")
    require(ready.lease == grant.token, "the lease must go on.", ready.lease)
    bench.grant = Grant(ready.lease, ready.epoch)
    bench.link.watcher.hold(ready.epoch, ready.lease)
    _command_refused(bench, grant, Refusal.STALE_EPOCH)
    bench.accepted(bench.probe.chunk(bench.grant, bench.probe.standing()[None]))
    bench.settle(0.0)
    return f"epoch {grant.epoch}, then {ready.epoch}"


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


CHECKS = (
    one_commander, tokens_grow, stale_lease, wrong_token, no_lease, anothers_lease, observers_command_nothing,
    an_expired_lease, hand_over, reset_without_a_lease, a_reset_begins_anew, only_supervisors_take_over,
    take_over,
)
