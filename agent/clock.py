"""Who pays for thinking: the agent (lockstep: the world waits) or the world (live, charged: the body goes on)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from tandem.bridge.contract import InvalidOption


class Clock(Protocol):
    """Says how much body time a call of a planner, policy or verifier costs.

    Attributes:
        real_time: wall time is body time: who thinks while the body moves does so on a thread of its own.
    """

    real_time: bool

    def charge_s(self, wall_s: float) -> float:
        """Seconds of body time to let pass, given the wall time that the call took."""


@dataclass(frozen=True)
class Lockstep:
    """The world waits while the agent thinks. Deterministic; what no hardware does."""

    real_time = False

    def charge_s(self, wall_s: float) -> float:
        """Nothing."""
        return 0.0


@dataclass(frozen=True)
class Live:
    """The world goes on for as long as the call really took."""

    real_time = True

    def charge_s(self, wall_s: float) -> float:
        """The wall time itself."""
        return wall_s


@dataclass(frozen=True)
class Charged:
    """The world goes on for a fixed time per call: as honest as `Live` on average, and deterministic.

    Attributes:
        ms: milliseconds per call.
    """

    real_time = False
    ms: float

    def __post_init__(self):
        if not (math.isfinite(self.ms) and self.ms >= 0):
            raise InvalidOption(f"a clock charges a finite number of milliseconds that is not negative, got {self.ms}")

    def charge_s(self, wall_s: float) -> float:
        """The fixed time."""
        return self.ms / 1000.0


def clock_named(text: str) -> Clock:
    """The clock of a command line: "lockstep", "live" or "charged:MS". Raises `InvalidOption`."""
    name, _, number = text.partition(":")
    if name == "lockstep" and not number:
        return Lockstep()
    if name == "live" and not number:
        return Live()
    try:
        if name == "charged":
            return Charged(float(number))
    except ValueError as reason:
        raise InvalidOption(f"clock {text!r} names no number of milliseconds, as in charged:250") from reason
    raise InvalidOption(f"unknown clock {text!r}. Known: lockstep, live, charged:MS (for example charged:250).")
