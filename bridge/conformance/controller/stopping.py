"""Checks of what stops: silence, a software stop, faults that stay until a supervisor clears them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tandem.bridge.client.link import Link
from tandem.bridge.conformance.controller.bench import Bench
from tandem.bridge.conformance.controller.motion import braking_s
from tandem.bridge.conformance.controller.recording import Recording
from tandem.bridge.conformance.law import require
from tandem.bridge.roles import Role
from tandem.bridge.wire.message import Message
from tandem.bridge.wire.refusal import Refusal

MOTION_S = 3.0
UNDER_WAY = 0.1  # of the way
SLACK_S = 0.05
FAULT_SLACK_S = 0.5


def _life(bench: Bench) -> int:
    """A time to live beyond the motion's, ns."""
    return round(min(MOTION_S + 1.5, bench.limits["max_ttl_s"]) * 1e9)


def _own_fault(bench: Bench, code: str) -> dict[str, Any]:
    """The latched fault, remembered as the checks' own when it is the one that was asked for."""
    fault = bench.fault()
    require(bool(fault) and fault["code"] == code, f"the fault must be {code}.", fault)
    bench.caused.add(fault["number"])
    return fault


def _stop_by(other: Link, bench: Bench) -> dict[str, Any]:
    """The fault of a stop that a second connection asks for."""
    require(not bench.probe.state()["fault"], "a fault is latched already: somebody else has stopped the arm")
    number = other.stop("a check of the software stop")
    bench.probe.wait_mode("FAULT", deadline_s=braking_s(bench) + 2)
    fault = _own_fault(bench, "STOP_REQUESTED")
    require(fault["number"] == number, f"the answer said fault {number}, status says {fault['number']}")
    return fault


def a_latched_fault(bench: Bench) -> str:
    """A stop is latched at a standstill too: no chunk, no lease, until a supervisor clears that very fault."""
    bench.needs_supervisor()
    grant, before, row = bench.acquire(), bench.probe.standing(), bench.swing()
    with bench.another(bench.observer) as other:
        number = _stop_by(other, bench)["number"]
        again = other.stop("a check of the software stop, once more")
    require(again == number, f"the first fault is the one that counts, {number}; the second stop was told {again}")
    epoch = bench.probe.state().epoch
    require(epoch > grant.epoch, "a fault must begin a new epoch.", epoch)
    bench.expect(bench.probe.chunk(grant, row[None], epoch=epoch), Refusal.FAULTED)
    bench.expect_refusal(bench.link.acquire, Refusal.FAULTED)
    _refuse_to_clear(bench, number)
    bench.unmoved(before)
    bench.clear(number)
    cleared = bench.probe.state().epoch
    require(cleared > epoch, "a clear must begin a new epoch.", cleared)
    bench.expect(bench.probe.chunk(grant, row[None], epoch=cleared), Refusal.STALE_LEASE)
    return f"fault {number}, cleared; the lease of before is stale"


def _refuse_to_clear(bench: Bench, number: int) -> None:
    if bench.link.welcome["role"] == Role.COMMANDER:
        bench.expect_refusal(lambda: bench.link.clear(number), Refusal.FORBIDDEN)
    with bench.another(bench.supervisor, "checker-supervisor") as supervisor:
        bench.expect_refusal(lambda: supervisor.clear(number + 1), Refusal.NO_SUCH_FAULT)
    require(bench.fault().get("number") == number, "the fault must still be latched.", bench.fault())


def a_software_stop(bench: Bench) -> str:
    """Anybody's stop ends a motion at once and stays latched; nothing moves until a supervisor clears it."""
    bench.may_move()
    bench.needs_supervisor()
    grant, home, there = bench.acquire(), bench.probe.standing(), bench.swing()
    with bench.another(bench.observer) as other, Recording(bench.link) as recording:
        bench.go(there, MOTION_S, ttl=_life(bench))
        bench.link.watcher.wait(lambda state: _share(state, home, there) > UNDER_WAY, MOTION_S, "the motion")
        fault = _stop_by(other, bench)
    took, share = (recording.moved_last() - fault["t"]) * 1e-9, _share(recording.states[-1], home, there)
    require(UNDER_WAY < share < 0.5, f"it went {share:.0%} of the way, and was stopped after a tenth")
    require(took <= braking_s(bench) + SLACK_S, f"it moved for {took:.2f} s after the stop")
    before, epoch = bench.probe.standing(), bench.probe.state().epoch
    bench.expect(bench.probe.chunk(grant, before[None], epoch=epoch), Refusal.FAULTED)
    bench.unmoved(before)
    in_time = f"stood after {took:.3f} s of at most {braking_s(bench):.2f} s"
    return f"fault {fault['number']}, {in_time}, at {share:.0%} of the way"


def _share(state: Message, home: np.ndarray, there: np.ndarray) -> float:
    """How much of the way the setpoint of the first joint has gone."""
    return float((state["setpoint"][0] - home[0]) / (there[0] - home[0]))


def silence(bench: Bench) -> str:
    """When the commander falls silent in a motion the arm stops in the declared time, and a fault is latched."""
    bench.may_move()
    bench.needs_supervisor()
    grant = bench.acquire()
    with Recording(bench.link) as recording:
        bench.link.watcher.let_go()  # no renewals from now on
        heard = bench.go(bench.swing(), MOTION_S, ttl=_life(bench)).t
        bench.probe.wait_mode("FAULT", deadline_s=bench.limits["fault_s"] + 2)
    fault = _own_fault(bench, "COMM_LOST")  # first of all, so that it is cleared whatever else is found
    evidence = _stopped_in_time(bench, recording, heard, grant.epoch)
    latched_s = (fault["t"] - heard) * 1e-9
    off = abs(latched_s - bench.limits["fault_s"])
    require(off <= FAULT_SLACK_S, f"the fault was latched {latched_s:.2f} s after the last word")
    bench.expect_refusal(bench.link.acquire, Refusal.FAULTED)
    row = bench.swing()
    bench.expect(
        bench.probe.chunk(grant, row[None], epoch=bench.probe.state().epoch), Refusal.FAULTED, Refusal.STALE_LEASE
    )
    return f"{evidence}, fault {fault['number']} after {latched_s:.2f} s"


def _stopped_in_time(bench: Bench, recording: Recording, heard: int, epoch: int) -> str:
    after = [state for state in recording.states if state.t > heard and state["mode"] not in ("LEASED", "ACTIVE")]
    require(after[0].epoch > epoch, "a new epoch must begin as the arm stops.", after[0].epoch)
    bound = bench.limits["silence_s"] + braking_s(bench)
    took = (recording.moved_last() - heard) * 1e-9
    require(took >= 0, "nothing moved at all")
    require(took <= bound + SLACK_S, f"it moved for {took:.2f} s, declared are {bound:.2f} s")
    return f"stood after {took:.2f} s of at most {bound:.2f} s"


CHECKS = (a_latched_fault, a_software_stop, silence)
