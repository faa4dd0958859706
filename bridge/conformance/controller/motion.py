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
UNDER_WAY_S = 0.5


def braking_s(bench: Bench) -> float:
    """The longest full stop within the specification's limits."""
    spec = bench.spec
    return float(np.max(spec.velocity_limit / spec.acceleration_limit + 2 * spec.acceleration_limit / spec.jerk_limit))


def _within_limits(bench: Bench, recording: Recording) -> str:
    """Velocity, acceleration and jerk of the setpoints, from turn to turn; a jump would show in all three."""
    hz, spec = bench.limits["tick_hz"], bench.spec
    limits = {"velocity": spec.velocity_limit, "acceleration": spec.acceleration_limit, "jerk": spec.jerk_limit}
    worst = dict.fromkeys(limits, 0.0)
    for setpoints in recording.unbroken():
        for order, (name, limit) in enumerate(limits.items(), 1):
            value = np.diff(setpoints[:, :-1], order, axis=0) * hz**order
            worst[name] = max(worst[name], (np.abs(value) / limit).max(initial=0))
    for name, share in worst.items():
        require(share <= SLACK, f"the setpoint moved at {share:.2f} of the {name} limit")
    return ", ".join(f"{name} to {share:.0%}" for name, share in worst.items()) + " of the limits"


def a_small_motion(bench: Bench) -> str:
    """A chunk moves the arm to its last action, within the limits, and back; then the arm holds."""
    bench.may_move()
    bench.acquire()
    home, there = bench.probe.standing(), bench.swing()
    reach, numbers = abs(there[0] - home[0]), set[int]()
    with Recording(bench.link) as recording:
        for target in (there, home):
            numbers.add(bench.go(target)["chunk"])
            far = np.abs(bench.settle() - target).max()
            require(far < REACHED, f"the setpoint stands {far:.3g} from the last action")
            bench.link.watcher.wait(
                lambda state, goal=target[0]: abs(state["position"][0] - goal) < reach / 2, FOLLOWS_S,
                "a measurement near the last action (are its units those of the command?)",
            )
    told = {state["chunk"] for state in recording.states if state["mode"] == "ACTIVE"}
    require(told == numbers, f"the states must name the chunks that are carried out, {numbers}.", told)
    last, count = max(state["index"] for state in recording.states), round(SWING_S * 1e9 / DT_NS)
    require(last == count - 1, f"the last of {count} actions must be gone to; the highest index is {last}")
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
    home, there, ttl = bench.probe.standing(), bench.swing(), 600_000_000
    t0 = bench.probe.state().t - ttl // 3  # its life begins at t0, whenever it comes
    with Recording(bench.link) as recording:
        bench.go(there, 3.0, t0=t0, ttl=ttl)
        time.sleep(ttl * 1e-9 + braking_s(bench) + 3 * SLACK_S)
    late = [state for state in recording.states if state.t > t0 + ttl + SLACK_S * 1e9 and state["mode"] == "ACTIVE"]
    require(not late, "nothing of a chunk is carried out from t0 + ttl on; it was still ACTIVE")
    mode, after_s = recording.states[-1]["mode"], (recording.moved_last() - t0 - ttl) * 1e-9
    share = abs(recording.states[-1]["setpoint"][0] - home[0]) / abs(there[0] - home[0])
    require(after_s <= braking_s(bench) + SLACK_S, f"it still moved {after_s:.2f} s after its time")
    require(0 < share < 0.75, f"it went {share:.0%} of the way in a fifth of the time")
    require(mode == "HOLDING", "the mode must be HOLDING after a chunk whose time is over.", mode)
    bench.go(home)
    bench.settle()
    return f"stood {after_s:.3f} s after its time, at {share:.0%} of the way"


def a_chunk_before_standstill(bench: Bench) -> str:
    """While the arm decelerates because a chunk is over, the next one is taken, and makes no jump."""
    bench.may_move()
    bench.acquire()
    home, there = bench.probe.standing(), bench.swing()
    back = bench.line(home, SWING_S, start=there)  # made before, as an arm stands soon
    with Recording(bench.link) as recording:
        bench.go(there, SWING_S / 2, ttl=round(SWING_S * 1e9 / 4))
        over = bench.link.watcher.wait(
            lambda state: state["mode"] in ("STOPPING", "HOLDING"), SWING_S + FOLLOWS_S, "the end of a chunk"
        )
        bench.accepted(bench.probe.chunk(bench.grant, back, t0=over.t))
        bench.settle()
    require(recording.moved_last() > 0, "nothing moved at all")
    return f"taken in the mode {over['mode']} or just after; {_within_limits(bench, recording)}"


def a_lease_that_ends(bench: Bench) -> str:
    """A lease that is given back in a motion ends the motion: the arm decelerates, and is READY."""
    bench.may_move()
    grant, home, there = bench.acquire(), bench.probe.standing(), bench.swing()
    with Recording(bench.link) as recording:
        bench.go(there, 3.0, ttl=3_000_000_000)
        time.sleep(UNDER_WAY_S)
        bench.link.release(grant)
        bench.grant = None
        ended = bench.probe.wait_mode("READY", deadline_s=braking_s(bench) + UNDER_WAY_S)
        time.sleep(UNDER_WAY_S)
    require(ended.epoch > grant.epoch, "a new epoch must begin.", ended.epoch)
    return _stopped_early(recording, home, there)


def a_motion_taken_over(bench: Bench) -> str:
    """A supervisor's take-over ends the motion of whom it takes the lease from: the arm decelerates."""
    bench.may_move()
    bench.needs_supervisor()
    _, home, there = bench.acquire(), bench.probe.standing(), bench.swing()
    with bench.another(bench.supervisor, "checker-supervisor") as other, Recording(bench.link) as recording:
        bench.go(there, 3.0, ttl=3_000_000_000)
        time.sleep(UNDER_WAY_S)
        taken = other.acquire(force=True)
        try:
            bench.probe.wait_mode("LEASED", deadline_s=braking_s(bench) + UNDER_WAY_S)
            time.sleep(UNDER_WAY_S)
        finally:
            other.release(taken)
    return _stopped_early(recording, home, there)


def _stopped_early(recording: Recording, home: np.ndarray, there: np.ndarray) -> str:
    moving, share = recording.moved_last(), abs(recording.states[-1]["setpoint"][0] - home[0]) / abs(there[0] - home[0])
    require(0 < share < 0.75, f"it went {share:.0%} of the way, and was ended after a sixth")
    still_s = (recording.states[-1].t - moving) * 1e-9
    require(still_s > UNDER_WAY_S / 2, "the arm must stand once its mode says so; it still moved")
    return f"stood at {share:.0%} of the way"


CHECKS = (
    a_small_motion, order_by_name, late_actions, splice, time_to_live, a_chunk_before_standstill, a_lease_that_ends,
    a_motion_taken_over,
)
