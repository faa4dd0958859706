"""What the checks share: connections, a lease, a small motion, and leaving things as they were found.

The checks latch faults on purpose and clear them again. A fault that no check has asked for is somebody's stop or the
arm's own trouble: it is never cleared here.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tandem.bridge.client.contact import Contact
from tandem.bridge.client.link import Grant, Link
from tandem.bridge.conformance.controller.probe import Probe
from tandem.bridge.conformance.law import require
from tandem.bridge.contract.errors import BodyStopped, BodyUnresponsive, TandemError
from tandem.bridge.roles import Role
from tandem.bridge.wire.message import Message
from tandem.bridge.wire.refusal import Refusal, Refused

STEP = np.radians(2.0)  # rad
WIDE = 1.5  # rad or m: a joint with less range moves by a share of it instead
STEP_SHARE = 0.01
DT_NS = 50_000_000
SWING_S = 0.6
SETTLE_S = 0.2


class Skipped(Exception):
    """A check that cannot be made here, and why."""


@dataclass
class Bench:
    """See the module. A context manager.

    Attributes:
        contact: the controller, as whoever commands.
        observer: the same with an observer's key, if there is one.
        supervisor: with a supervisor's, if `contact` has not that role.
        move: the arm may move a little.
        grant: the lease that is held.
        caused: numbers of the faults that the checks have latched on purpose.
        left: what could not be put right, "" when all is as it was found.

    Raises:
        BodyStopped: a fault is latched, or somebody holds the lease; nothing was checked.
    """

    contact: Contact
    observer: Contact | None = None
    supervisor: Contact | None = None
    move: bool = True
    grant: Grant | None = field(default=None, init=False)
    caused: set[int] = field(default_factory=set, init=False)
    left: str = field(default="", init=False)

    def __enter__(self) -> Bench:
        self.probe = Probe(self.contact)
        self.spec, self.limits, self.link = self.probe.spec, self.probe.limits, self.probe.link
        try:
            self._require_free()
            self._home = self.probe.wait_mode("READY")["setpoint"]
        except BaseException:
            self.probe.close()
            raise
        return self

    def _require_free(self) -> None:
        status = self.link.request("status")
        fault = status["fault"]
        if fault:
            raise BodyStopped(f"fault {fault['number']}, {fault['code']}, is latched; nothing was checked. Let "
                              "somebody look at the arm and clear it first")
        if status["holder"] or status["mode"] in ("LEASED", "ACTIVE", "HOLDING"):
            who = status["holder"] or "somebody"
            raise BodyStopped(f"{who} holds the lease; nothing was checked. Let it end first")

    def __exit__(self, *_: object) -> None:
        self.tidy()
        with contextlib.suppress(TandemError, AssertionError):
            self._go_home()
        self.tidy()
        self.probe.close()

    # --- what may be done here ---

    def may_move(self) -> None:
        """Skip a check that moves the arm when it may not."""
        if not self.move:
            raise Skipped("the arm may not be moved (--no-move)")

    def needs_supervisor(self) -> None:
        """Skip a check whose traces only a supervisor can remove."""
        if self.supervisor is None and self.link.welcome["role"] != Role.SUPERVISOR:
            raise Skipped("no supervisor's key was given (--supervisor-key)")

    @contextlib.contextmanager
    def another(self, contact: Contact | None = None, name: str = "checker-other") -> Iterator[Link]:
        """A second connection."""
        link = Link(contact or self.contact, name=name)
        try:
            yield link
        finally:
            link.close()

    def acquire(self) -> Grant:
        """The lease, of an arm that stands."""
        self.probe.wait_mode("READY")
        self.grant = self.link.acquire()
        self.probe.wait_mode("LEASED")
        return self.grant

    # --- small motions ---

    def swing(self) -> np.ndarray:
        """(n + 1,) the setpoint, the first joint moved a little towards the middle of its range, if it may move."""
        row = self.probe.standing().copy()
        low, high = self.spec.position_low[0], self.spec.position_high[0]
        step = STEP if high - low > WIDE else STEP_SHARE * (high - low)
        if self.move:
            row[0] += step if row[0] < (low + high) / 2 else -step
        return row

    def line(self, target: np.ndarray, seconds: float, *, start: np.ndarray | None = None) -> np.ndarray:
        """Rows (H, n + 1) to a target, from the setpoint if no other start is given."""
        start = self.probe.state()["setpoint"] if start is None else start
        count = max(1, round(seconds * 1e9 / DT_NS))
        return start + (target - start) * (np.arange(1, count + 1) / count)[:, None]

    def go(self, target: np.ndarray, seconds: float = SWING_S, **changes: Any) -> Message:
        """Start a motion to a target; what was said to it."""
        return self.accepted(self.probe.chunk(self.grant, self.line(target, seconds), **changes))

    def settle(self, seconds: float = SWING_S) -> np.ndarray:
        """(n + 1,) the setpoint after a motion of so many seconds."""
        time.sleep(seconds + SETTLE_S)
        return self.probe.wait_mode("HOLDING")["setpoint"]

    def _go_home(self) -> None:
        """The checks that stop the arm leave it a swing from where it was; from further away it is not led back."""
        here = self.probe.standing()
        if self.left or not self.move or np.array_equal(here, self._home):
            return
        if np.abs(here - self._home)[:-1].max() <= 3 * STEP:
            self.acquire()
            self.go(self._home)
            self.settle()

    # --- what is expected ---

    def expect(self, said: Message | None, *codes: Refusal) -> str:
        """That a message was refused with one of the codes."""
        wanted = " or ".join(codes)
        if said is None:
            raise AssertionError(f"no answer; {wanted} was expected")
        if said.kind != "refused":
            raise AssertionError(f"{said.kind}; {wanted} was expected")
        require(said["code"] in codes, f"{said['code']} ({said['detail']}); {wanted} was expected")
        return f"{said['code']}: {said['detail']}"

    def expect_refusal(self, call: Callable[[], object], *codes: Refusal) -> str:
        """That a polite request is refused with one of the codes."""
        try:
            call()
        except Refused as reason:
            require(reason.code in codes, f"{' or '.join(codes)} was expected.", str(reason))
            return str(reason.code)
        raise AssertionError(f"it was granted; {' or '.join(codes)} was expected")

    @staticmethod
    def accepted(said: Message | None) -> Message:
        """That a chunk was accepted."""
        if said is None:
            raise AssertionError("no answer to a chunk")
        if said.kind != "accepted":
            raise AssertionError(f"{said.kind} {said.fields.get('code', '')}: {said.fields.get('detail', '')}")
        return said

    def unmoved(self, before: np.ndarray, seconds: float = 0.1) -> None:
        """That the setpoint stays where it was."""
        time.sleep(seconds)
        far = np.abs(self.probe.state()["setpoint"] - before).max()
        require(far < 1e-9, f"the setpoint has moved by {far:.2g}")

    # --- faults, and the end ---

    def fault(self) -> dict[str, Any]:
        """The latched fault, empty when there is none."""
        return self.link.request("status")["fault"]

    def clear(self, number: int) -> None:
        """Clear a fault that a check has caused, as a supervisor."""
        self.probe.wait_mode("FAULT")
        with self.another(self.supervisor, "checker-supervisor") as supervisor:
            supervisor.clear(number)
        self.probe.wait_mode("READY")

    def tidy(self) -> str:
        """Give the lease back and clear a fault of the checks' own; what could not be put right, "" for nothing."""
        try:
            self._tidy()
        except TandemError as reason:
            self.left = f"{type(reason).__name__}: {reason}"
        return self.left

    def _tidy(self) -> None:
        if self.grant is not None:
            with contextlib.suppress(Refused, BodyUnresponsive):
                self.link.release(self.grant)
        self.grant, self.left = None, ""
        fault = self.fault()
        if fault and fault["number"] in self.caused:
            self.clear(fault["number"])
        elif fault:
            self.left = (f"fault {fault['number']}, {fault['code']} ({fault['detail']}), is latched and no check has "
                         "asked for it: it stays until somebody has looked at the arm")
