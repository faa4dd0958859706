"""Checks of what moves: limits, order by name, replays, late actions, splice, time to live."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from tandem.bridge.conformance.controller.bench import DT_NS, SLACK, Bench
from tandem.bridge.wire.message import Message
from tandem.bridge.wire.refusal import Refusal

REACHED = 2e-3  # rad or m


def _within_limits(bench: Bench, states: list[Message]) -> None:
    """Velocity of the setpoints between two states that were seen."""
    for before, after in pairwise(states):
        elapsed = (after.seq - before.seq) / bench.limits["tick_hz"]
        speed = np.abs(after["setpoint"][:-1] - before["setpoint"][:-1]) / max(elapsed, 1 / bench.limits["tick_hz"])
        worst = (speed / bench.spec.velocity_limit).max()
        assert worst <= SLACK, f"the setpoint moved at {worst:.2f} of the velocity limit"


def _go(bench: Bench, target: np.ndarray, seconds: float = 1.0, **changes: object) -> Message:
    return bench.accepted(bench.probe.chunk(bench.grant, bench.line(target, seconds), **changes))


def a_small_motion(bench: Bench) -> str:
    """A chunk moves the arm to its last action, within the limits, and back; then the arm holds."""
    bench.may_move()
    bench.acquire()
    home, there = bench.probe.standing(), bench.swing()
    for target in (there, home):
        _go(bench, target)
        _within_limits(bench, bench.probe.watch(1.2))
        state = bench.probe.wait_mode("HOLDING")
        far = np.abs(state["setpoint"] - target).max()
        assert far < REACHED, f"it stands {far:.3g} from its last action"
    return f"there and back, to {far:.1e}"


def order_by_name(bench: Bench) -> str:
    """Whatever order the names come in, the right joint moves."""
    bench.may_move()
    bench.acquire()
    home, there = bench.probe.standing(), bench.swing()
    rows, names = bench.line(there, 1.0), bench.spec.action.names
    bench.accepted(bench.probe.chunk(bench.grant, rows[:, ::-1], names=names[::-1]))
    bench.probe.watch(1.2)
    moved = np.abs(bench.probe.wait_mode("HOLDING")["setpoint"] - home)
    assert moved[0] > 0.5 * abs(there[0] - home[0]), "the joint did not move"
    assert moved[1:-1].max(initial=0) < REACHED, f"others moved by {moved[1:-1].max():.3g}"
    _go(bench, home)
    bench.probe.watch(1.2)
    return f"{names[0]} moved by {moved[0]:.4f}"


def a_replayed_command(bench: Bench) -> str:
    """The same command again is refused."""
    bench.may_move()
    bench.acquire()
    here = bench.probe.standing()
    _go(bench, here, 0.1)
    return bench.expect(bench.probe.chunk(bench.grant, here[None], seq=bench.link._seq), Refusal.REPLAYED)


def late_actions(bench: Bench) -> str:
    """Actions whose time has passed are dropped, and the answer says how many."""
    bench.may_move()
    bench.acquire()
    here = bench.probe.standing()
    rows, t0 = np.repeat(here[None], 10, axis=0), bench.probe.state().t - 4 * DT_NS
    said = bench.accepted(bench.probe.chunk(bench.grant, rows, t0=t0))
    assert 4 <= said["first"] <= 6, f"the first that is carried out is {said['first']}, 4 to 6 were expected"
    return f"{said['first']} of 10 dropped"


def splice(bench: Bench) -> str:
    """A new chunk in the middle of a motion makes no jump."""
    bench.may_move()
    bench.acquire()
    home, there = bench.probe.standing(), bench.swing()
    _go(bench, there, 1.0)
    states = bench.probe.watch(0.5)
    _go(bench, home, 1.0)
    states += bench.probe.watch(1.4)
    _within_limits(bench, states)
    return "no jump"


def time_to_live(bench: Bench) -> str:
    """After its time to live nothing of a chunk is carried out; the arm stands before its last action, and holds."""
    bench.may_move()
    bench.acquire()
    home, there = bench.probe.standing(), bench.swing()
    _go(bench, there, 2.0, ttl=500_000_000)
    bench.probe.watch(1.2)
    state = bench.probe.wait_mode("HOLDING")
    share = abs(state["setpoint"][0] - home[0]) / abs(there[0] - home[0])
    assert share < 0.75, f"it went {share:.0%} of the way in a quarter of the time"
    _go(bench, home)
    bench.probe.watch(1.2)
    return f"stopped after {share:.0%} of the way"


CHECKS = (a_small_motion, order_by_name, a_replayed_command, late_actions, splice, time_to_live)
