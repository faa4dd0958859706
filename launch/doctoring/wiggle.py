"""Move one joint by 2 degrees and back, under the eyes of a person. The only check that moves anything.

It does not reset: an arm begins where it stands, and a simulation keeps its world. Chunks reach a quarter of a second
ahead, so that whatever becomes of this process, the arm stops.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator

import numpy as np
from doctoring.body import joint_kinds
from doctoring.ear import Ear
from doctoring.hops import hop
from doctoring.progress import REDRAWS, Show
from doctoring.standing import clear_words
from doctoring.trial import AFTER_S, Track, Trial, amounts, compare, judge
from machine import Finding

from tandem.bridge.client import Link
from tandem.bridge.client.link import Grant
from tandem.bridge.contract import BodyStopped, BodyUnresponsive, TandemError
from tandem.bridge.roles import Role
from tandem.bridge.wire import Message, Refusal, Refused

Agreed = Callable[[str], bool]
AHEAD_S = 0.25
PERIOD_S = 0.02  # at least, from chunk to chunk
BEFORE_S = 0.2
STANDS_S = 5.0
EDGE = 1e-6
_LOOK_S = 0.0002


def wiggle(link: Link, joint: str, agreed: Agreed, show: Show) -> Iterator[Finding]:
    """How the joint moved, and how long chunks took to be accepted."""
    if (reason := _refusal(link, joint)) is not None:
        yield reason
        return
    if not agreed(f"Stand by the arm, emergency stop in reach. Type {joint} to move it by {_amount(link, joint)}: "):
        yield Finding("wiggle", "warn", "nobody agreed to it, nothing has moved", "type its name, or give --yes")
        return
    grant = link.acquire()
    try:
        yield from _moved(link, grant, joint, show)
    except KeyboardInterrupt:
        stopped = _stopped(link)
        show("", 1.0)
        yield stopped
    except BodyStopped as reason:
        fault = link.request("status")["fault"]
        remedy = clear_words(link, fault["number"]) if fault else "look who took the lease, or stopped the arm"
        yield Finding("wiggle", "fail", str(reason), remedy)
    finally:
        show("", 1.0)
        link.leave(grant)


def _amount(link: Link, joint: str) -> str:
    kinds, index = joint_kinds(link.spec), link.spec.joint_names.index(joint)
    amount = amounts(link.spec, kinds)[index]
    return f"{amount * 1000:.1f} mm" if kinds.get(joint) == "slide" else f"{np.degrees(amount):.1f} degrees"


def _refusal(link: Link, joint: str) -> Finding | None:
    """Why nobody need be asked."""
    spec, status = link.spec, link.request("status")
    if joint not in spec.joint_names:
        known = ", ".join(spec.joint_names)
        return Finding("wiggle", "fail", f"there is no joint {joint!r}", f"--wiggle with one of: {known}")
    if link.welcome["role"] == Role.OBSERVER:
        return Finding("wiggle", "fail", f"{link.welcome['name']} is an observer, and may not move the arm",
                       "--key with a commander's or a supervisor's")
    if fault := status["fault"]:
        detail = f"fault {fault['number']}, {fault['code']}, is latched: nothing has moved"
        return Finding("wiggle", "fail", detail, clear_words(link, fault["number"]))
    if status["holder"]:
        return Finding("wiggle", "fail", f"{status['holder']} holds the lease: nothing has moved",
                       f"wait for {status['holder']}, or let a supervisor take it over")
    return None


def _stopped(link: Link) -> Finding:
    """The arm first, words later."""
    try:
        number = link.stop("Ctrl-C in the doctor")
    except (TandemError, OSError) as reason:
        return Finding("wiggle", "fail", f"Ctrl-C: the stop was not confirmed ({reason})", "EMERGENCY STOP, then look")
    return Finding("wiggle", "fail", f"Ctrl-C: the arm stops, fault {number} is latched", clear_words(link, number))


def _moved(link: Link, grant: Grant, joint: str, show: Show) -> Iterator[Finding]:
    spec, kinds = link.spec, joint_kinds(link.spec)
    standing = link.watcher.wait(lambda state: _ours(state, grant) and state["mode"] in ("LEASED", "HOLDING"),
                                 STANDS_S, "the arm's standstill")
    base, index = standing["setpoint"], spec.joint_names.index(joint)
    inside = (base >= spec.action.low - EDGE) & (base <= spec.action.high + EDGE)
    outside = [name for name, fits in zip(spec.action.names, inside, strict=True) if not fits]
    if outside:
        yield Finding("wiggle", "fail", f"{', '.join(outside)} stands outside its bounds, and would be moved as well",
                      "move the arm back into its range by its own means")
        return
    trial = Trial(spec, index, kinds.get(joint, ""), base)
    with Ear(link) as ear:
        ear.wait()
        run = Run(link, grant, ear, trial)
        run.carry_out(show)
    yield hop("to command", np.array(run.took_us), link)
    yield Finding("wiggle", *judge(trial, compare(trial, run.track(), kinds)))


def _ours(state: Message, grant: Grant) -> bool:
    return state.lease == grant.token and state.epoch == grant.epoch and not state["fault"]


class Run:
    """Carries a trial out: a chunk each control period, everything that is said meanwhile kept.

    Args:
        link: the connection.
        grant: the lease.
        ear: on the state stream.
        trial: what to do.

    Attributes:
        took_us: from sending each chunk until "accepted" was here.
    """

    def __init__(self, link: Link, grant: Grant, ear: Ear, trial: Trial):
        self._link, self._grant, self._ear, self._trial = link, grant, ear, trial
        self._states: list[Message] = []
        self._sent: dict[int, int] = {}
        self.took_us: list[float] = []
        self._begin = link.now() + round(BEFORE_S * 1e9)

    def carry_out(self, show: Show) -> None:
        """Until the joint is back. Raises `Refused`, `BodyStopped` or `BodyUnresponsive`; the arm then stops."""
        dt, shown = self._trial.spec.dt_s, -1
        due_s, end_s = 0.0, self._trial.seconds + AFTER_S
        while (t := self._time_s(self._link.now())) < end_s:
            if due_s <= t < self._trial.seconds + dt:
                self._send()
                due_s = max(due_s + max(dt, PERIOD_S), t)
            self._look()
            if (share := int(max(t, 0.0) / end_s * REDRAWS)) > shown and not self._waited_for:
                shown = share
                show(f"moving {self._trial.name}", share / REDRAWS)
            time.sleep(_LOOK_S)
        if not self.took_us:
            raise BodyUnresponsive(f"{len(self._sent)} chunks were sent, and nothing was said to any")
        if not self._states or self._time_s(self._states[-1]["measured"]) < self._trial.seconds:
            raise BodyUnresponsive("the states that would have told how it moved did not come")

    @property
    def _waited_for(self) -> int:
        return len(self._sent) - len(self.took_us)

    def track(self) -> Track:
        """What the states told."""
        times = [self._time_s(state["measured"]) for state in self._states]
        n = self._trial.spec.dof
        return Track(np.array(times), np.array([state["position"] for state in self._states]),
                     np.array([state["setpoint"][:n] for state in self._states]))

    def _time_s(self, t: int) -> float:
        return (t - self._begin) * 1e-9

    def _send(self) -> None:
        dt, t0 = self._trial.spec.dt_s, self._link.now()
        count = math.ceil(AHEAD_S / dt) + 1
        actions = self._trial.actions(self._time_s(t0) + dt * np.arange(1, count + 1))
        sent = time.monotonic_ns()
        number = self._link.send_chunk(self._grant, actions, t0=t0, dt_s=dt, ttl_s=(count + 1) * dt)
        self._sent[number] = sent

    def _look(self) -> None:
        for verdict in self._link.verdicts():
            if verdict.kind == "refused":
                raise Refused(Refusal(verdict["code"]), verdict["detail"])
            self.took_us.append((time.monotonic_ns() - self._sent[verdict["chunk"]]) / 1000)
        new = self._ear.take()
        states = [message for message in new if message.kind == "state"]
        self._states += states
        for state in states[-1:]:
            if not _ours(state, self._grant):
                told = [m["detail"] for m in new if m.kind == "event"]
                raise BodyStopped(f"the arm was stopped: {'; '.join(told) or state['mode']}")
