"""How a controller is set: times and guards, declared to every client in its hello."""

from __future__ import annotations

from dataclasses import dataclass, fields

from tandem.bridge.contract.errors import InvalidOption
from tandem.bridge.wire.codec import MAX_FRAME

NS = 1_000_000_000


@dataclass(frozen=True)
class Limits:
    """Times in seconds of the controller's own clock, distances in rad (m for sliding joints).

    Attributes:
        tick_hz: setpoints per second.
        silence_s: after so long without a word from the lease holder a moving arm is stopped.
        lease_s: after so long without a word the lease ends; a standby commander gets it.
        fault_s: when silence stopped a motion and nobody has taken over after so long, the fault is latched.
        max_ttl_s: the longest time to live of a chunk.
        max_lead_s: how far ahead of now the base time of a chunk may lie.
        start_guard: how far the first action of a chunk may lie from the setpoint, beyond what the velocity limit
            covers until its time.
        following_error: largest distance between setpoint and measurement, for `following_s`.
        following_s: how long it may last.
        driver_timeout_s: longest time between two measurements.
        gap_s: longest time between two ticks; beyond it the servo was suspended.
        reset_s: longest time that a reset may take.
        requests_per_s: messages of one peer that are looked at, per second; more are refused.
    """

    tick_hz: float = 500.0
    silence_s: float = 0.25
    lease_s: float = 1.0
    fault_s: float = 2.0
    max_ttl_s: float = 5.0
    max_lead_s: float = 1.0
    start_guard: float = 0.05
    following_error: float = 0.35
    following_s: float = 0.1
    driver_timeout_s: float = 0.05
    gap_s: float = 0.1
    reset_s: float = 30.0
    requests_per_s: float = 1000.0

    def __post_init__(self):
        for field in fields(self):
            if not 0 < getattr(self, field.name) < 1e6:
                raise InvalidOption(f"{field.name} must be positive, got {getattr(self, field.name)}")
        if not self.silence_s < self.lease_s < self.fault_s:
            raise InvalidOption(
                f"silence_s < lease_s < fault_s is needed, got {self.silence_s}, {self.lease_s}, {self.fault_s}"
            )

    @property
    def tick_s(self) -> float:
        """Seconds from one setpoint to the next."""
        return 1.0 / self.tick_hz

    def to_wire(self) -> dict[str, float]:
        """Plain types only; with the largest frame, in bytes, that is read."""
        return {field.name: getattr(self, field.name) for field in fields(self)} | {"max_frame": MAX_FRAME}


def ns(seconds: float) -> int:
    """Whole nanoseconds."""
    return round(seconds * NS)
