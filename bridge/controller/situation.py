"""Mode, epoch and fault of a controller, and the rules by which they change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tandem.bridge.controller.mode import TRANSITIONS, FaultCode, Mode
from tandem.bridge.wire.refusal import Refusal, Refused


@dataclass(frozen=True)
class Fault:
    """A latched fault.

    Attributes:
        number: counts the faults of a session; who clears it must name it.
        code: from the closed list.
        detail: what happened.
        t: when, ns.
    """

    number: int
    code: FaultCode
    detail: str
    t: int

    def to_wire(self) -> dict[str, Any]:
        """Plain types only."""
        return {"number": self.number, "code": str(self.code), "detail": self.detail, "t": self.t}


class Situation:
    """See the module.

    Args:
        tell: (what, detail, data) of every change.

    Attributes:
        mode: where the state machine stands.
        epoch: counts every event after which earlier actions must never be carried out.
        fault: the one that is latched, None when all is well.
        lacks: what the controller waits for while it is IDLE.
    """

    def __init__(self, tell: Callable[[str, str, dict[str, Any]], None]):
        self._tell, self._faults = tell, 0
        self.mode, self.epoch = Mode.IDLE, 1
        self.fault: Fault | None = None
        self.lacks = ""

    def go(self, mode: Mode, why: str) -> None:
        """Change the mode, along the table only, and say so."""
        if mode is self.mode:
            return
        if mode not in TRANSITIONS[self.mode]:
            raise AssertionError(f"no way from {self.mode} to {mode}: {why}")
        before, self.mode = self.mode, mode
        self._tell("mode", why, {"from": str(before), "to": str(mode)})

    def raise_fault(self, code: FaultCode, detail: str, now: int) -> bool:
        """Latch a fault unless one is latched already; whether it was."""
        if self.fault is not None:
            return False
        self._faults += 1
        self.fault = Fault(self._faults, code, detail, now)
        self._tell("fault", f"{code}: {detail}", self.fault.to_wire())
        return True

    def clear(self, why: str) -> None:
        """A supervisor has looked at the arm: ready for a new lease, and nothing of before is carried out."""
        fault, self.fault = self.fault, None
        self.epoch += 1
        self._tell("cleared", why, fault.to_wire())
        self.go(Mode.READY, why)

    def refuse_motion(self) -> None:
        """Raise `Refused` when nothing may move: FAULTED or NOT_READY."""
        if self.fault is not None:
            raise Refused(Refusal.FAULTED, f"fault {self.fault.number}, {self.fault.code}: {self.fault.detail}")
        if self.mode in (Mode.IDLE, Mode.FAULT):
            raise Refused(Refusal.NOT_READY, f"the controller is {self.mode}{self.lacks and f': {self.lacks}'}")
