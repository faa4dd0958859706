"""Temporal ensembling: think as often as possible and average what all chunks say of the same moment.

ACT (arXiv 2304.13705): a_t = sum w_i a_t^(i) / sum w_i with w_i = exp(-m i), i = 0 the oldest prediction. Kept online
as a mean, a sum of weights and a count for each action ahead: memory of one chunk, however many were averaged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tandem.bridge.contract import ActionChunk
from tandem.policies.executors.executor import Executor, Options


@dataclass(frozen=True)
class EnsembleOptions(Options):
    """How fast the weight falls from older to newer predictions; 0 weighs all alike."""

    m: float = 0.01


class Ensemble(Executor):
    """Thinks at every step if thinking costs nothing, else again as soon as an answer is there."""

    name = "ensemble"
    Options = EnsembleOptions

    def _forget(self) -> None:
        super()._forget()
        self._weight, self._count = np.empty(0), np.empty(0)  # of the last actions in `_ahead`, one each

    def _due(self) -> bool:
        return True

    def _join(self, chunk: ActionChunk, time_s: float) -> np.ndarray:
        """The newest chunk says how far ahead there is anything; where older ones speak, too, the mean of all."""
        fresh = np.array(chunk.actions[self._since:])
        n, done = min(len(fresh), len(self._ahead)), len(self._weight) - len(self._ahead)
        before, count = np.zeros(len(fresh)), np.zeros(len(fresh))
        before[:n], count[:n] = self._weight[done:done + n], self._count[done:done + n]
        weight = np.exp(-self.options.m * count)
        self._weight, self._count = before + weight, count + 1
        share = (weight / self._weight)[:n, None]
        fresh[:n] = self._ahead[:n] + share * (fresh[:n] - self._ahead[:n])
        return fresh
