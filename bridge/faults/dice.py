"""What happens to each message: a function of the seed, the connection and the message's number, and of no clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tandem.bridge.faults.fault import Delay, Drop, Duplicate, Fault, Reorder


@dataclass(frozen=True)
class Fate:
    """Of one message.

    Attributes:
        copies: how often it comes, 0 for never.
        delay_s: how much later.
        overtaken: whether those after it may come before it.
    """

    copies: int
    delay_s: float
    overtaken: bool


class Dice:
    """One direction of one connection.

    Args:
        faults: all of them; those of other sockets and directions are left out.
        seed: of the proxy.
        port: name of the socket.
        connection: counts the connections of this socket.
        towards: "controller" or "client".
    """

    def __init__(self, faults: Sequence[Fault], seed: int, port: str, connection: int, towards: str):
        self._faults = [fault for fault in faults if fault.strikes(port, towards)]
        self._rng = np.random.default_rng([seed, connection, *f"{port}/{towards}".encode()])

    def next(self) -> Fate:
        """The fate of the next message."""
        copies, delay_ms, overtaken = 1, 0.0, False
        for fault in self._faults:
            if isinstance(fault, Delay):
                delay_ms += fault.ms + fault.jitter_ms * self._rng.random()
            elif isinstance(fault, Drop):
                copies = 0 if self._rng.random() < fault.p else copies
            elif isinstance(fault, Duplicate):
                copies *= 2 if self._rng.random() < fault.p else 1
            elif isinstance(fault, Reorder) and self._rng.random() < fault.p:
                delay_ms, overtaken = delay_ms + fault.by_ms, True
        return Fate(copies, delay_ms / 1000, overtaken)
