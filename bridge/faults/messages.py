"""Faults that strike single messages, and what they decide about one.

Each takes one number drawn evenly from 0 to 1 for every message, whatever comes of it, so that what one of them does
never shifts the luck of the others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from tandem.bridge.faults.fault import Fault

MS = 1e-3


@dataclass(frozen=True)
class Decision:
    """What happens to one message.

    Attributes:
        dropped: it never arrives.
        copies: how many more times it arrives.
        delay_s: how much later it arrives; those behind it wait for it.
        held_s: how much later still, while those behind it overtake.
    """

    dropped: bool = False
    copies: int = 0
    delay_s: float = 0.0
    held_s: float = 0.0


PASS = Decision()


@dataclass(frozen=True)
class Delay(Fault):
    """Every message arrives `ms` later, and up to `jitter_ms` more (evenly drawn). Order is kept."""

    ms: float
    jitter_ms: float = 0.0
    name: ClassVar[str] = "delay"

    def judge(self, decision: Decision, lot: float) -> Decision:
        """Later by the lot's share of the jitter."""
        return replace(decision, delay_s=decision.delay_s + (self.ms + self.jitter_ms * lot) * MS)


@dataclass(frozen=True)
class Drop(Fault):
    """A message is lost with probability `p`."""

    p: float
    name: ClassVar[str] = "drop"

    def judge(self, decision: Decision, lot: float) -> Decision:
        """Lost, if the lot says so."""
        return replace(decision, dropped=True) if lot < self.p else decision


@dataclass(frozen=True)
class Duplicate(Fault):
    """A message arrives twice, one right behind the other, with probability `p`."""

    p: float
    name: ClassVar[str] = "duplicate"

    def judge(self, decision: Decision, lot: float) -> Decision:
        """Once more, if the lot says so."""
        return replace(decision, copies=decision.copies + 1) if lot < self.p else decision


@dataclass(frozen=True)
class Reorder(Fault):
    """With probability `p` a message is held back for `by_ms`, and those behind it overtake."""

    p: float
    by_ms: float = 10.0
    name: ClassVar[str] = "reorder"

    def judge(self, decision: Decision, lot: float) -> Decision:
        """Held back, if the lot says so."""
        return replace(decision, held_s=decision.held_s + self.by_ms * MS) if lot < self.p else decision


MessageFault = Delay | Drop | Duplicate | Reorder
