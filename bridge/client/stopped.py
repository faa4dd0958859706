"""What a refusal means to an agent."""

from __future__ import annotations

from tandem.bridge.contract.errors import BodyStopped, InvalidOption
from tandem.bridge.wire.refusal import Refusal, Refused

LEASE_ENDED = frozenset({Refusal.NO_LEASE, Refusal.STALE_LEASE, Refusal.WRONG_SESSION, Refusal.FAULTED})


def stopped(reason: Refused) -> InvalidOption | BodyStopped:
    """The error to raise: an option that the body does not understand, or a body that does not obey any more."""
    if reason.code is Refusal.INVALID:
        return InvalidOption(reason.detail)
    return BodyStopped(str(reason))
