"""Questions under way: whom the driver asked, what has come back, and what can be passed on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tandem.bridge.contract import InvalidOption
from tandem.sim.plant.child import Child
from tandem.sim.plant.line import NOTICE

_WORDS = 1000  # characters of an error, so that it fits into any message


@dataclass
class _Open:
    """A question: who still has to answer, and the first value and the first error so far."""

    question: str
    missing: set[str]
    value: Any = None
    error: str = ""


class Inquiries:
    """See the module."""

    def __init__(self) -> None:
        self._open: dict[int, _Open] = {}
        self._done: list[tuple[int, Any, str]] = []
        self._notices: list[dict[str, Any]] = []

    def notices_of(self, generation: int) -> list[dict[str, Any]]:
        """What the processes told of a world without being asked, oldest first; what they told of earlier ones goes."""
        self._notices = [told for told in self._notices if told["generation"] >= generation]
        return [told for told in self._notices if told["generation"] == generation]

    def open(self, question: str) -> bool:
        """Whether such a question is under way."""
        return any(asked.question == question for asked in self._open.values())

    def ask(self, number: int, question: str, arguments: dict[str, Any], children: Iterable[Child]) -> None:
        """Send it to each of these processes; it is answered when all have. The first one's value counts."""
        asked = self._open[number] = _Open(question, {child.name for child in children})
        for child in children:
            try:
                child.line.send(number, question, arguments)
            except InvalidOption as reason:
                self._note(number, asked, child.name, None, str(reason))

    def answer(self, number: int, value: Any, error: str = "") -> None:
        """It is answered already."""
        self._done.append((number, value, error[:_WORDS]))

    def collect(self, children: Iterable[Child]) -> list[tuple[int, Any, str]]:
        """What has been answered since the last call; in the place of a process that has died, how it died."""
        for child in children:
            for number, value, error in child.line.receive():
                if number == NOTICE:
                    self._notices.append(value)
                elif number in self._open:
                    self._note(number, self._open[number], child.name, value, error)
            if child.line.closed and self._open:
                self._bury(child)
        done, self._done = self._done, []
        return done

    def _bury(self, child: Child) -> None:
        words = child.death() or f"the {child.name} process has hung up"
        for number, asked in list(self._open.items()):
            if child.name in asked.missing:
                self._note(number, asked, child.name, None, words)

    def _note(self, number: int, asked: _Open, who: str, value: Any, error: str) -> None:
        asked.missing.discard(who)
        asked.value = value if asked.value is None else asked.value
        asked.error = asked.error or error
        if not asked.missing:
            self._open.pop(number, None)
            self.answer(number, None if asked.error else asked.value, asked.error)
