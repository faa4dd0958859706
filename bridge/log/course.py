"""What an episode did, kept until its end: so that a log says of itself whether it can be replayed."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np

from tandem.bridge.log.entries import MeasuredEntry, StepEntry

LONGEST = 20_000  # steps; what goes on for longer is not kept in memory, and its certificate says so

Certify = Callable[[np.ndarray, np.ndarray, Collection[int]], Mapping[str, Any]]
"""Given states (T + 1, N), commands (T, d) and the rows that a disturbance changed: a verdict in plain types."""


class Course:
    """The states and commands of one episode.

    Args:
        certify: the judge.
    """

    def __init__(self, certify: Certify):
        self._certify = certify
        self._times: list[int] = []
        self._states: list[bytes] = []
        self._commands: list[bytes] = []
        self._struck: set[int] = set()
        self._too_long = False

    def begin(self, first: MeasuredEntry) -> None:
        """The state in which it starts."""
        self._times.append(first.time_ns)
        self._states.append(first.state)

    def add(self, step: StepEntry) -> None:
        """A command, and the state that it led to."""
        if len(self._commands) >= LONGEST:
            self._too_long = True
            return
        self._commands.append(step.command)
        self._states.append(step.after.state)
        self._times.append(step.after.time_ns)

    def strike(self, time_ns: int) -> None:
        """A disturbance changed the state of that time, after its step."""
        row = int(np.argmin(np.abs(np.array(self._times) - time_ns)))
        self._struck.add(row)

    def certificate(self) -> dict[str, Any]:
        """The verdict, and what it cost."""
        if self._too_long:
            return {"verdict": f"not certified: more than {LONGEST} steps"}
        begin = time.perf_counter()
        states, commands = _rows(self._states), _rows(self._commands)
        verdict = dict(self._certify(states, commands, frozenset(self._struck)))
        return {**verdict, "steps": len(commands), "wall_s": round(time.perf_counter() - begin, 3)}


def _rows(packed: list[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(packed), "<f8").reshape(len(packed), -1) if packed else np.empty((0, 0))
