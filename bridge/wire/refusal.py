"""Why a message is refused: a closed list, each with what would have worked. A refused message moves nothing."""

from __future__ import annotations

from enum import StrEnum

from tandem.bridge.contract.errors import TandemError


class Refusal(StrEnum):
    """The closed list of reasons."""

    OVERSIZED = "OVERSIZED"
    MALFORMED = "MALFORMED"
    UNSUPPORTED_VERSION = "UNSUPPORTED_VERSION"
    UNKNOWN_KIND = "UNKNOWN_KIND"
    NOT_FINITE = "NOT_FINITE"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    WRONG_SESSION = "WRONG_SESSION"
    NO_LEASE = "NO_LEASE"
    STALE_LEASE = "STALE_LEASE"
    LEASE_TAKEN = "LEASE_TAKEN"
    STALE_EPOCH = "STALE_EPOCH"
    REPLAYED = "REPLAYED"
    EXPIRED = "EXPIRED"
    FROM_THE_FUTURE = "FROM_THE_FUTURE"
    WRONG_TTL = "WRONG_TTL"
    WRONG_NAMES = "WRONG_NAMES"
    WRONG_SHAPE = "WRONG_SHAPE"
    START_POSE = "START_POSE"
    FAULTED = "FAULTED"
    NOT_READY = "NOT_READY"
    MOVING = "MOVING"
    NO_SUCH_FAULT = "NO_SUCH_FAULT"
    NOT_OFFERED = "NOT_OFFERED"
    INVALID = "INVALID"
    BUSY = "BUSY"
    INTERNAL = "INTERNAL"


REMEDIES: dict[Refusal, str] = {
    Refusal.OVERSIZED: "send a smaller message; hello tells the largest (limits.max_frame)",
    Refusal.MALFORMED: "send one msgpack map with the fields that PROTOCOL.md lists for its kind",
    Refusal.UNSUPPORTED_VERSION: "use one of the versions that hello offers",
    Refusal.UNKNOWN_KIND: "send a kind that PROTOCOL.md lists for this socket",
    Refusal.NOT_FINITE: "send finite numbers only",
    Refusal.UNAUTHENTICATED: "use a key on the controller's allow-list (launch/keys.py)",
    Refusal.FORBIDDEN: "use a key with the role that this needs",
    Refusal.WRONG_SESSION: "say hello anew: the controller was started again",
    Refusal.NO_LEASE: "acquire the lease first",
    Refusal.STALE_LEASE: "acquire a new lease: this one has ended",
    Refusal.LEASE_TAKEN: "wait for the holder, ask for standby, or let a supervisor take over",
    Refusal.STALE_EPOCH: "take the epoch from the newest state: what was made before is not carried out",
    Refusal.REPLAYED: "count seq up from message to message",
    Refusal.EXPIRED: "send fresher actions: every one of these is later than its time",
    Refusal.FROM_THE_FUTURE: "measure the clock offset again (ping): base time lies too far ahead",
    Refusal.WRONG_TTL: "give a time to live within limits.max_ttl",
    Refusal.WRONG_NAMES: "name exactly the specification's action elements, each once",
    Refusal.WRONG_SHAPE: "send one row for each action and one number for each name",
    Refusal.START_POSE: "start from the pose in which the arm stands",
    Refusal.FAULTED: "let a supervisor look at the arm and clear the fault",
    Refusal.NOT_READY: "wait until the state is READY",
    Refusal.MOVING: "wait until the arm stands",
    Refusal.NO_SUCH_FAULT: "name the number of the present fault, as the state tells it",
    Refusal.NOT_OFFERED: "ask only for the extensions that hello lists",
    Refusal.INVALID: "correct the value that the detail names",
    Refusal.BUSY: "send less often",
    Refusal.INTERNAL: "look at the controller's own output",
}


class Refused(TandemError):
    """A message that is not accepted, by either side.

    Args:
        code: from the closed list.
        detail: which field or value, and what would have worked.
    """

    def __init__(self, code: Refusal, detail: str):
        self.code, self.detail = Refusal(code), detail
        super().__init__(f"{self.code}: {detail} ({REMEDIES[self.code]})")
