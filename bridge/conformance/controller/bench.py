"""What the checks share: connections, a lease, a small motion, and leaving things as they were found."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from tandem.bridge.client.contact import Contact
from tandem.bridge.client.link import Grant, Link
from tandem.bridge.conformance.controller.probe import Probe
from tandem.bridge.conformance.law import require
from tandem.bridge.contract.errors import BodyUnresponsive
from tandem.bridge.wire.message import Message
from tandem.bridge.wire.refusal import Refusal, Refused

STEP = np.radians(2.0)  # rad; or this share of the range of a sliding joint
STEP_SHARE = 0.02
DT_NS = 50_000_000
SLACK = 1.02


class Skipped(Exception):
    """A check that cannot be made here, and why."""


@dataclass
class Bench:
    """See the module. A context manager."""

    contact: Contact
    observer: Contact | None = None
    supervisor: Contact | None = None
    move: bool = True
    grant: Grant | None = field(default=None, init=False)

    def __enter__(self) -> Bench:
        self.probe = Probe(self.contact)
        self.spec, self.limits, self.link = self.probe.spec, self.probe.limits, self.probe.link
        return self

    def __exit__(self, *_: object) -> None:
        self.tidy()
        self.probe.close()

    def may_move(self) -> None:
        """Skip a check that moves the arm when it may not."""
        if not self.move:
            raise Skipped("the arm may not be moved (--no-move)")

    def acquire(self) -> Grant:
        """The lease, of an arm that stands."""
        self.probe.wait_mode("READY")
        self.grant = self.link.acquire()
        self.probe.wait_mode("LEASED")
        return self.grant

    def swing(self, there: float = 1.0) -> np.ndarray:
        """(n + 1,) the setpoint, the first joint moved a little towards the middle of its range."""
        row = self.probe.standing().copy()
        low, high = self.spec.position_low[0], self.spec.position_high[0]
        step = STEP if high - low > 1.5 else STEP_SHARE * (high - low)
        row[0] += there * step * (1 if row[0] < (low + high) / 2 else -1)
        return row

    def line(self, target: np.ndarray, seconds: float) -> np.ndarray:
        """Rows (H, n + 1) from the setpoint to a target."""
        start, count = self.probe.state()["setpoint"], max(1, round(seconds * 1e9 / DT_NS))
        return start + (target - start) * (np.arange(1, count + 1) / count)[:, None]

    def expect(self, said: Message | None, *codes: Refusal) -> str:
        """That a message was refused with one of the codes."""
        wanted = " or ".join(codes)
        assert said is not None, f"no answer; {wanted} was expected"
        assert said.kind == "refused", f"{said.kind}; {wanted} was expected"
        assert said["code"] in codes, f"{said['code']} ({said['detail']}); {wanted} was expected"
        return f"{said['code']}: {said['detail']}"

    def expect_refusal(self, call: Callable[[], object], *codes: Refusal) -> str:
        """That a polite request is refused with one of the codes."""
        try:
            call()
        except Refused as reason:
            require(reason.code in codes, f"{' or '.join(codes)} was expected.", reason)
            return str(reason.code)
        raise AssertionError(f"it was granted; {' or '.join(codes)} was expected")

    @staticmethod
    def accepted(said: Message | None) -> Message:
        """That a chunk was accepted."""
        assert said is not None, "no answer to a chunk"
        assert said.kind == "accepted", f"{said.kind} {said.fields.get('code', '')}: {said.fields.get('detail', '')}"
        return said

    def unmoved(self, before: np.ndarray, seconds: float = 0.1) -> None:
        """That the setpoint stays where it was."""
        time.sleep(seconds)
        far = np.abs(self.probe.state()["setpoint"] - before).max()
        assert far < 1e-9, f"the setpoint has moved by {far:.2g}"

    def clear(self) -> None:
        """Clear the latched fault, by whoever may."""
        state = self.probe.wait_mode("FAULT", "READY")
        if not state["fault"]:
            return
        link = self.link if self.supervisor is None else Link(self.supervisor, name="checker-supervisor")
        try:
            link.clear(state["fault"])
        finally:
            if link is not self.link:
                link.close()
        self.probe.wait_mode("READY")

    def tidy(self) -> None:
        """Give the lease back, clear a fault that a check has caused, and let the arm stand."""
        with contextlib.suppress(Refused, BodyUnresponsive):
            if self.grant is not None:
                self.link.release(self.grant)
        self.grant = None
        with contextlib.suppress(Refused, BodyUnresponsive):
            self.clear()
