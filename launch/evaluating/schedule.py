"""What is left to run. An episode that breaks for reasons that are not the agent's is tried again, at most twice."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable

from tandem.agent.evaluation.results import INFRASTRUCTURE, Address, Record

TRIES = 3


class Schedule:
    """Episodes in order; those to be tried again come last.

    Args:
        addresses: what is to be run, each once.

    Attributes:
        hopeless: episodes that broke every time.
    """

    def __init__(self, addresses: Iterable[Address]):
        self._left, self._broke = deque(addresses), Counter[Address]()
        self.hopeless: list[Address] = []

    def __len__(self) -> int:
        return len(self._left)

    def next(self) -> Address | None:
        """The next to run, None when nothing is left just now."""
        return self._left.popleft() if self._left else None

    def ended(self, record: Record) -> None:
        """A try is over."""
        if record.kind != INFRASTRUCTURE:
            return
        self._broke[record.address] += 1
        if self._broke[record.address] < TRIES:
            self._left.append(record.address)
        else:
            self.hopeless.append(record.address)
