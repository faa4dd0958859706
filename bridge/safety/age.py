"""Sequence, age and time to live: what comes twice, too late, or for too far ahead is not carried out."""

from __future__ import annotations

from tandem.bridge.wire.message import Message
from tandem.bridge.wire.refusal import Refusal, Refused

MIN_DT_NS, MAX_DT_NS = 1_000_000, 1_000_000_000


def check_sequence(seq: int, last: int) -> None:
    """Raise `Refused` (REPLAYED) unless a command is newer than the last one of its lease."""
    if seq <= last:
        raise Refused(Refusal.REPLAYED, f"seq {seq} comes after {last}")


def check_age(message: Message, now: int, *, max_ttl: int, max_lead: int) -> None:
    """Raise `Refused` unless a chunk is alive: WRONG_TTL, MALFORMED (dt), FROM_THE_FUTURE or EXPIRED.

    Args:
        message: a chunk.
        now: ns of the controller's clock, as t0 is.
        max_ttl: ns.
        max_lead: ns.
    """
    t0, dt, ttl = message["t0"], message["dt"], message["ttl"]
    if not 0 < ttl <= max_ttl:
        raise Refused(Refusal.WRONG_TTL, f"ttl is {ttl / 1e9:g} s, allowed is more than 0, at most {max_ttl / 1e9:g} s")
    if not MIN_DT_NS <= dt <= MAX_DT_NS:
        raise Refused(Refusal.MALFORMED, f"dt is {dt / 1e9:g} s, allowed are 0.001 to 1 s")
    if t0 - now > max_lead:
        raise Refused(Refusal.FROM_THE_FUTURE, f"t0 lies {(t0 - now) / 1e9:.3f} s ahead, at most {max_lead / 1e9:g} s")
    if now - t0 >= ttl:
        raise Refused(Refusal.EXPIRED, f"{(now - t0) / 1e9:.3f} s old, its time to live was {ttl / 1e9:g} s")
