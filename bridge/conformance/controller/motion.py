"""Checks of what moves: limits, order by name, late actions, splice, time to live."""

from __future__ import annotations

import time

import numpy as np

from tandem.bridge.conformance.controller.bench import DT_NS, SWING_S, Bench
from tandem.bridge.conformance.controller.recording import Recording
from tandem.bridge.conformance.law import require

REACHED = 1e-3  # rad or m
SLACK = 1.02
SLACK_S = 0.05
FOLLOWS_S = 2.0


def braking_s(bench: Bench) -> float:
    """The longest full stop within the specification's limits."""
    spec = bench.spec
    return float(np.max(spec.velocity_limit / spec.acceleration_limit + 2 * spec.acceleration_limit / spec.jerk_limit))


def _within_limits(bench: Bench, recording: Recording) -> str:
    """Velocity and acceleration of the setpoints, from turn to turn; a jump would show in both."""
    tick, worst = 1 / bench.limits["tick_hz"], np.zeros(2)
    for setpoints in recording.unbroken():
        velocity = np.diff(setpoints[:, :-1], axis=0) / tick
        acceleration = np.diff(velocity, axis=0) / tick
        for i, (value, limit) in enumerate(
            ((velocity, bench.spec.velocity_limit), (acceleration, bench.spec.acceleration_limit))
        ):
            worst[i] = max(worst[i], (np.abs(value) / limit).max(initial=0))
    require(worst[0] <= SLACK, f"the setpoint moved at {worst[0]:.2f} of the velocity limit")
    require(worst[1] <= SLACK, f"the setpoint moved at {worst[1]:.2f} of the acceleration limit")
    return f"velocity to {worst[0]:.0%}, acceleration to {worst[1]:.0%} of the limits"


def a_small_motion(bench: Bench) -> str:
    """A chunk moves the arm to its last action, within the limits, and back; then the arm holds."""
    bench.may_move()
    bench.acquire()
    home, there = bench.probe.standing(), bench.swing()
    reach = abs(there[0] - home[0])
    with Recording(bench.link) as recording:
        for target in (there, home):
            bench.go(target)
            far = np.abs(bench.settle() - target).max()
            require(far < REACHED, f"the setpoint stands {far:.3g} from the last action")
            bench.link.watcher.wait(
                lambda state, goal=target[0]: abs(state["position"][0] - goal) < reach / 2, FOLLOWS_S,
                "a measurement near the last action (are its units those of the command?)",
            )
    return _within_limits(bench, recording)


def order_by_name(bench: Bench) -> str:
    """Whatever order the names come in, the right joint moves."""
    bench.may_move()
    bench.acquire()
    home, there = bench.probe.standing(), bench.swing()
    rows, names = bench.line(there, SWING_S), bench.spec.action.names
    bench.accepted(bench.probe.chunk(bench.grant, rows[:, ::-1], names=names[::-1]))
    moved = np.abs(bench.settle() - home)
    require(moved[0] > 0.5 * abs(there[0] - home[0]), f"{names[0]} did not move")
    strayed = float(moved[1:].max())
    require(strayed < REACHED, f"others moved by {strayed:.3g}")
    bench.go(home)
    bench.settle()
    return f"{names[0]} moved by {moved[0]:.4f}"


def late_actions(bench: Bench) -> str:
    """Actions whose time has passed are dropped, and the answer says how many."""
    bench.acquire()
    rows, t0 = np.repeat(bench.probe.standing()[None], 10, axis=0), bench.probe.state().t - 4 * DT_NS
    said = bench.accepted(bench.probe.chunk(bench.grant, rows, t0=t0))
    require(said["count"] == len(rows), f"{len(rows)} actions were sent, {said['count']} counted")
    by_its_time = int((said.t - t0) // DT_NS)
    require(said["first"] == by_its_time, f"the first carried out is {said['first']}, {by_its_time} actions had passed")
    return f"{said['first']} of {len(rows)} dropped"


def splice(bench: Bench) -> str:
    """A new chunk in the middle of a motion makes no jump."""
    bench.may_move()
    bench.acquire()
    home, there = bench.probe.standing(), bench.swing()
    with Recording(bench.link) as recording:
        bench.go(there)
        time.sleep(SWING_S / 2)
        bench.go(home)
        bench.settle()
    require(recording.moved_last() > 0, "nothing moved at all")
    return _within_limits(bench, recording)


def time_to_live(bench: Bench) -> str:
    """After its time to live nothing of a chunk is carried out; the arm stands before its last action, and holds."""
    bench.may_move()
    bench.acquire()
    home, there, t0, ttl = bench.probe.standing(), bench.swing(), bench.probe.state().t, 400_000_000
    with Recording(bench.link) as recording:
        bench.go(there, 2.0, t0=t0, ttl=ttl)
        time.sleep(ttl * 1e-9 + braking_s(bench) + 3 * SLACK_S)
    mode, after_s = recording.states[-1]["mode"], (recording.moved_last() - t0 - ttl) * 1e-9
    share = abs(recording.states[-1]["setpoint"][0] - home[0]) / abs(there[0] - home[0])
    require(after_s <= braking_s(bench) + SLACK_S, f"it still moved {after_s:.2f} s after its time")
    require(0 < share < 0.75, f"it went {share:.0%} of the way in a fifth of the time")
    require(mode == "HOLDING", "the mode must be HOLDING after a chunk whose time is over.", mode)
    bench.go(home)
    bench.settle()
    return f"stood {after_s:.3f} s after its time, at {share:.0%} of the way"


CHECKS = (a_small_motion, order_by_name, late_actions, splice, time_to_live)
