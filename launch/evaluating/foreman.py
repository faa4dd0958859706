"""Keeps workers busy: gives out episodes, takes what comes back, replaces who dies or does not come back."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from evaluating.crew import Crew, Hand, Outcome, WorkerDied
from evaluating.notes import broken
from evaluating.schedule import Schedule

from tandem.agent.evaluation.results import INFRASTRUCTURE, Address, Record
from tandem.bridge.contract import InvalidOption

WORKER_DIED, NOT_BACK = "WORKER_DIED", "NOT_BACK"


@dataclass(frozen=True)
class _Errand:
    """What a worker is on, and until when it is waited for (monotonic time)."""

    address: Address
    until_s: float


class Foreman:
    """See the module.

    Args:
        crew: where workers come from.
        workers: how many at a time.
        patience_s: wall time after which a worker that has not come back with its episode is given up.
    """

    def __init__(self, crew: Crew, workers: int, patience_s: float):
        self._crew, self._workers, self._patience_s = crew, workers, patience_s
        self._idle: list[Hand] = []
        self._busy: dict[Hand, _Errand] = {}

    def describe(self, tasks: Sequence[str]) -> dict[str, Any]:
        """What a worker says of the system. Raises `InvalidOption` when it cannot be composed."""
        hand = self._crew.hire()
        self._idle.append(hand)
        hand.ask({"describe": list(tasks)})
        if not self._crew.wait([hand], self._patience_s):
            raise InvalidOption(f"no worker was ready within {self._patience_s:g} s: give it more with --patience-s")
        try:
            told = hand.answer()
        except WorkerDied as reason:
            raise InvalidOption(f"no worker can begin: {reason}") from reason
        if "refused" in told:
            raise InvalidOption(f"no worker can begin: {told['refused']}")
        return told["about"]

    def outcomes(self, schedule: Schedule) -> Iterator[Outcome]:
        """Every try, as it ends, until nothing is left to run."""
        self._give_out(schedule)
        while self._busy:
            soonest_s = min(errand.until_s for errand in self._busy.values())
            ready = self._crew.wait(list(self._busy), max(0.0, soonest_s - time.monotonic()))
            ended = [self._taken(hand) for hand in ready] or [self._given_up(hand) for hand in self._overdue()]
            for outcome in ended:
                schedule.ended(outcome.record)
                yield outcome
            self._give_out(schedule)

    def close(self) -> None:
        """Dismiss everybody."""
        for hand in [*self._idle, *self._busy]:
            hand.dismiss()
        self._idle.clear()
        self._busy.clear()
        self._crew.close()

    def _give_out(self, schedule: Schedule) -> None:
        while len(self._busy) < self._workers and (address := schedule.next()) is not None:
            hand = self._idle.pop() if self._idle else self._crew.hire()
            self._busy[hand] = _Errand(address, time.monotonic() + self._patience_s)
            hand.ask({"run": list(address)})

    def _overdue(self) -> list[Hand]:
        now_s = time.monotonic()
        return [hand for hand, errand in self._busy.items() if errand.until_s <= now_s]

    def _taken(self, hand: Hand) -> Outcome:
        address = self._busy.pop(hand).address
        try:
            told = hand.answer()
        except WorkerDied as reason:
            hand.dismiss()
            return Outcome(broken(address, WORKER_DIED, str(reason)))
        record = Record.from_dict(told["record"])
        if record.kind == INFRASTRUCTURE:
            hand.dismiss()  # who knows what else is broken in it
        else:
            self._idle.append(hand)
        return Outcome(record, told["log"])

    def _given_up(self, hand: Hand) -> Outcome:
        address = self._busy.pop(hand).address
        hand.dismiss()
        return Outcome(broken(address, NOT_BACK, f"the worker did not come back within {self._patience_s:g} s"))
