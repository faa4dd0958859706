"""Open loop with a receding horizon: carry out the first s actions of a chunk, then think again.

The baseline of every comparison (Diffusion Policy, arXiv 2303.04137): the arm stands while the policy thinks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tandem.bridge.contract import ActionChunk
from tandem.policies.executors.executor import Executor, Options


@dataclass(frozen=True)
class OpenLoopOptions(Options):
    """How many actions of each chunk are carried out; a final chunk is carried out to its end."""

    horizon: int = 8


class OpenLoop(Executor):
    """Thinks when nothing lies ahead. Holding changes nothing, so a chunk begins with its first action."""

    name = "open_loop"
    Options = OpenLoopOptions

    def _due(self) -> bool:
        return not len(self._ahead)

    def _join(self, chunk: ActionChunk, time_s: float) -> np.ndarray:
        return chunk.actions if chunk.final else chunk.actions[:self.options.horizon]
