"""Faults that strike connections: at a time, or by hand."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from tandem.bridge.contract.errors import InvalidOption
from tandem.bridge.faults.fault import Direction, Fault


@dataclass(frozen=True)
class Freeze(Fault):
    """From `at_s` on nothing passes for `seconds`, and connections stay. What was sent meanwhile comes afterwards."""

    at_s: float
    seconds: float
    name: ClassVar[str] = "freeze"


@dataclass(frozen=True)
class HalfOpen(Fault):
    """From `at_s` on what clients say is lost without a word (`towards`: in which direction), and nothing is closed."""

    at_s: float
    towards: str = field(default=Direction.TO_CONTROLLER.value, kw_only=True)
    name: ClassVar[str] = "half_open"
    seconds: ClassVar[float] = math.inf


@dataclass(frozen=True)
class Cut(Fault):
    """At `at_s` connections are reset, and new ones refused for `seconds`."""

    at_s: float
    seconds: float
    name: ClassVar[str] = "cut"

    def __post_init__(self):
        super().__post_init__()
        if self.towards:
            raise InvalidOption(f"the fault 'cut' ends both directions of a connection: leave out "
                                f"towards={self.towards}, or take freeze or half_open")


Outage = Freeze | HalfOpen | Cut
Lane = tuple[str, Direction]


class Outages:
    """What is the matter with each port and direction now.

    Args:
        faults: those with a time; seconds since `update` was 0.
        ports: names of all ports.

    Attributes:
        frozen: (port, direction) through which nothing passes.
        discarding: (port, direction) in which everything is lost.
        cut: ports at which nobody is let in.
    """

    def __init__(self, faults: Sequence[Outage], ports: Iterable[str]):
        self._faults, self._lanes = tuple(faults), [(port, way) for port in ports for way in Direction]
        self._by_hand: dict[type[Fault], Fault] = {}
        self.frozen: frozenset[Lane] = frozenset()
        self.discarding: frozenset[Lane] = frozenset()
        self.cut: frozenset[str] = frozenset()

    def begin(self, fault: Outage) -> None:
        """By hand, until `end`; its times do not count."""
        self._by_hand[type(fault)] = fault

    def end(self, *kinds: type[Fault]) -> None:
        """End what was begun by hand; what has a time ends at its time."""
        for kind in kinds:
            self._by_hand.pop(kind, None)

    def update(self, now_s: float) -> bool:
        """Bring the attributes up to date; whether any has changed."""
        active = [fault for fault in self._faults if fault.at_s <= now_s < fault.at_s + fault.seconds]
        active += self._by_hand.values()
        before = (self.frozen, self.discarding, self.cut)
        self.frozen, self.discarding = self._struck(Freeze, active), self._struck(HalfOpen, active)
        self.cut = frozenset(port for port, _ in self._struck(Cut, active))
        return before != (self.frozen, self.discarding, self.cut)

    def next_change_s(self, now_s: float) -> float:
        """When the next fault begins or ends by its time; infinity for never."""
        times = [time for fault in self._faults for time in (fault.at_s, fault.at_s + fault.seconds)]
        return min((time for time in times if time > now_s), default=math.inf)

    def _struck(self, kind: type[Fault], active: Iterable[Fault]) -> frozenset[Lane]:
        ours = [fault for fault in active if isinstance(fault, kind)]
        return frozenset(lane for lane in self._lanes if any(fault.strikes(*lane) for fault in ours))
