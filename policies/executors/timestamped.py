"""Timestamped: every action of a chunk has a time, and one whose time is over is dropped, never carried out.

As Diffusion Policy's real environment (arXiv 2303.04137) and UMI (arXiv 2402.10329) send actions to an arm. The latency
of thinking is compensated by what is dropped, that of the arm by sending each action `lead_ms` before its time. A
policy for which time does not pass while the arm stands (a planned trajectory) is better served by `async`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tandem.bridge.contract import ActionChunk, FailureCode, Observation, SkillFailed, Subgoal
from tandem.bridge.contract import observation as keys
from tandem.policies.executors.executor import Executor, Options

_PATIENCE = 5  # chunks in a row of which nothing was left


@dataclass(frozen=True)
class TimestampedOptions(Options):
    """When to think, and how late the arm is.

    Attributes:
        horizon: steps from one thought to the next, fewer if what lies ahead would run out.
        lead_ms: how long before its time an action is sent, milliseconds.
    """

    horizon: int = 8
    lead_ms: float = 0.0


class Timestamped(Executor):
    """Action i of a chunk is for the time of its observation plus i control steps."""

    name = "timestamped"
    Options = TimestampedOptions

    def _forget(self) -> None:
        super()._forget()
        self._first, self._steps, self._over = 0, 0, 0

    def infer(self, observation: Observation, subgoal: Subgoal) -> ActionChunk:
        """As `Executor.infer`; raises `SkillFailed(TIMEOUT)` when chunk after chunk is over before it arrives."""
        if self._chunk is not None:
            late = self._index(self._chunk, float(observation[keys.TIME][0])) - self._next()
            self._drop(max(0, min(late, len(self._ahead))))
        self._steps += 1
        return super().infer(observation, subgoal)

    def _index(self, chunk: ActionChunk, time_s: float) -> int:
        """Which action of a chunk is for now."""
        return round((time_s + self.options.lead_ms / 1000 - chunk.t0_s) / self.spec.dt_s)

    def _next(self) -> int:
        """Which action of the newest chunk lies ahead first."""
        return len(self._chunk) - len(self._ahead)

    def _drop(self, count: int) -> None:
        self._ahead = self._ahead[count:]
        self.metrics.drop(count)

    def _due(self) -> bool:
        due = self._steps >= self.options.horizon or len(self._ahead) <= self.delay
        if due:
            self._steps = 0
        return due

    def _behind(self) -> int:
        """None of a chunk that was over on arrival, else all whose time has passed."""
        if self._chunk is None:
            return super()._behind()
        return self._next() if self._first < len(self._chunk) else 0

    def _join(self, chunk: ActionChunk, time_s: float) -> np.ndarray:
        self._first = min(max(0, self._index(chunk, time_s)), len(chunk))
        self.metrics.drop(self._first)
        over = self._first == len(chunk)
        self._over = self._over + 1 if over else 0
        if self._over >= _PATIENCE and not chunk.final:
            raise SkillFailed(
                FailureCode.TIMEOUT,
                f"{_PATIENCE} chunks in a row were over before they arrived: {len(chunk)} actions of "
                f"{self.spec.dt_s:g} s, thinking takes {max(self._latencies):.3f} s; choose a policy with longer "
                "chunks, or the executor async",
            )
        return chunk.actions[self._first:]
