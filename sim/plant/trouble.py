"""Faults on request, so that what watches for them can be tried."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tandem.bridge.contract import InvalidOption, UnknownName

FREEZE, PROTECTIVE_STOP, STUCK_ENCODER, BLIND = KINDS = ("freeze", "protective_stop", "stuck_encoder", "blind")
LONGEST_S = 3600.0


@dataclass(frozen=True)
class Trouble:
    """One fault.

    Attributes:
        kind: freeze (no measurement comes), protective_stop (the arm brakes and says so), stuck_encoder (the first
            joint's reading stands still), blind (no picture comes).
        seconds: for so long.
    """

    kind: str
    seconds: float

    def __post_init__(self):
        if self.kind not in KINDS:
            raise UnknownName("fault", self.kind, KINDS)
        number = isinstance(self.seconds, (int, float)) and math.isfinite(self.seconds)
        if not number or not 0 < self.seconds <= LONGEST_S:
            raise InvalidOption(f"seconds of a fault must be more than 0 and at most {LONGEST_S:g}, got {self.seconds}")

    def until(self, now: int) -> int:
        """When it is over if it begins at `now`, ns."""
        return now + round(self.seconds * 1e9)

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> Trouble:
        """From {"kind", "seconds"}; one second unless told. Raises `InvalidOption` or `UnknownName`."""
        return cls(arguments.get("kind", ""), arguments.get("seconds", 1.0))
