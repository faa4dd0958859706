"""Who runs episodes: workers that are hired, asked, waited for and dismissed, wherever they live."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tandem.agent.evaluation.results import Record
from tandem.bridge.contract import TandemError


class WorkerDied(TandemError):
    """A worker ended, or was lost with its computer, before it answered."""


@dataclass(frozen=True)
class Outcome:
    """How a try ended.

    Attributes:
        record: its line.
        log: the episode log, as a file to be moved or as its bytes; None when none is kept.
    """

    record: Record
    log: Path | bytes | None = None


class Hand(Protocol):
    """One worker. It is asked one thing at a time."""

    def ask(self, request: Mapping[str, Any]) -> None:
        """Ask what `Worker.answer` understands."""

    def answer(self) -> dict[str, Any]:
        """What it answers; `log` is a path here or the bytes. Raises `WorkerDied` with its last words."""

    def dismiss(self) -> None:
        """End it, whatever it is doing. Calling it twice is allowed."""


class Crew(Protocol):
    """Where workers come from."""

    def hire(self) -> Hand:
        """A new one."""

    def wait(self, hands: Sequence[Hand], timeout_s: float) -> Sequence[Hand]:
        """Those that answered or died; empty when the time is over."""

    def close(self) -> None:
        """Nobody is hired any more."""
