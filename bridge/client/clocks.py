"""The controller's clock as seen from here: an offset, and how far it may be wrong.

Best of n pings (Cristian's method; RFC 5905 keeps the least delayed sample for the same reason): the exchange that took
least time was least disturbed, and half of its time bounds the error whatever the asymmetry of the two ways.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Exchange:
    """One ping, ns: sent and returned on this side's clock, received and answered on the controller's."""

    sent: int
    received: int
    answered: int
    returned: int

    @property
    def delay(self) -> int:
        """Time on the wire, both ways."""
        return (self.returned - self.sent) - (self.answered - self.received)

    @property
    def offset(self) -> int:
        """Controller's clock minus this side's, if both ways took as long."""
        return ((self.received - self.sent) + (self.answered - self.returned)) // 2


@dataclass(frozen=True)
class ClockOffset:
    """The controller's clock minus this side's.

    Attributes:
        offset: ns.
        uncertainty: ns; the true offset lies within it, both clocks running evenly.
    """

    offset: int
    uncertainty: int

    @classmethod
    def best_of(cls, exchanges: list[Exchange]) -> ClockOffset:
        """From the exchange with the least delay."""
        best = min(exchanges, key=lambda exchange: exchange.delay)
        return cls(best.offset, max(best.delay, 0) // 2 + 1)

    def there(self, here: int) -> int:
        """A time of this side on the controller's clock, ns."""
        return here + self.offset
