"""One message of the wire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(eq=False, slots=True)
class Message:
    """A kind, the envelope that every message has, and the fields of its kind. Nobody changes one.

    Attributes:
        kind: one of `KINDS`.
        fields: by name; arrays are float64 (n,), read-only when they came over the wire.
        session: of the controller, drawn anew whenever it starts; empty before hello.
        epoch: counts every event after which earlier actions must never be carried out.
        lease: the fencing token, 0 for none.
        seq: counts this sender's messages on this socket.
        t: the sender's monotonic clock, ns.
    """

    kind: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    session: str = ""
    epoch: int = 0
    lease: int = 0
    seq: int = 0
    t: int = 0

    def __getitem__(self, name: str) -> Any:
        return self.fields[name]
