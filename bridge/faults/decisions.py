"""What happens to each message of one direction of one connection: drawn from the seed, and from nothing else.

The n-th message gets the n-th decision whatever the clock says and whatever other connections do. So the same seed and
the same messages give the same faults, on a slow machine as on a fast one.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from tandem.bridge.faults.fault import Direction, Fault
from tandem.bridge.faults.messages import PASS, Decision, MessageFault


class Decisions:
    """See the module. Pure: no clock, no socket.

    Args:
        faults: all of them; those that do not strike messages here are passed over.
        seed: of the whole proxy, at least 0.
        port: name of the port.
        connection: which connection of that port, from 0, in the order in which they were made.
        direction: where the messages go.
    """

    def __init__(self, faults: Sequence[Fault], seed: int, port: str, connection: int, direction: Direction):
        self._faults = [fault for fault in faults
                        if isinstance(fault, MessageFault) and fault.strikes(port, direction)]
        key = (zlib.crc32(port.encode()), connection, tuple(Direction).index(direction))
        self._rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))

    def decide(self) -> Decision:
        """About the next message."""
        decision = PASS
        if self._faults:
            for fault, lot in zip(self._faults, self._rng.random(len(self._faults)).tolist(), strict=True):
                decision = fault.judge(decision, lot)
        return decision
