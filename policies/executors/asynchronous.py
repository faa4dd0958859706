"""Asynchronous: the next thought begins while the present chunk runs, and where both speak they are blended.

The queue of LeRobot's asynchronous inference (SmolVLA, arXiv 2506.01844). Its constant weights leave part of the jump
at the seam; the default here is a ramp from the old chunk to the new one over all that they share.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tandem.bridge.contract import ActionChunk, InvalidOption, UnknownName
from tandem.policies.executors.executor import Executor, Options

BLENDS = ("ramp", "constant")


@dataclass(frozen=True)
class AsynchronousOptions(Options):
    """When to think, and how to join.

    Attributes:
        threshold: think when no more than this share of the last chunk lies ahead, 0..1; earlier if thinking takes
            longer than that.
        blend: "ramp", or "constant" with `weight`.
        weight: of the new chunk, 0..1.
    """

    threshold: float = 0.5
    blend: str = "ramp"
    weight: float = 0.7

    def __post_init__(self):
        super().__post_init__()
        if self.blend not in BLENDS:
            raise UnknownName("blend", self.blend, BLENDS)
        if max(self.threshold, self.weight) > 1:
            raise InvalidOption(f"threshold and weight are 0 to 1, got {self.threshold} and {self.weight}")


class Asynchronous(Executor):
    """A new chunk goes on where the old one has got to: as many of its actions as were carried out are skipped."""

    name = "async"
    Options = AsynchronousOptions

    def _due(self) -> bool:
        whole = 0 if self._chunk is None else len(self._chunk)
        return len(self._ahead) <= max(math.floor(self.options.threshold * whole), self.delay)

    def _join(self, chunk: ActionChunk, time_s: float) -> np.ndarray:
        fresh = np.array(chunk.actions[self._since:])
        n = min(len(fresh), len(self._ahead))
        ramp = np.arange(1, n + 1) / (n + 1)
        new = (ramp if self.options.blend == "ramp" else np.full(n, self.options.weight))[:, None]
        fresh[:n] = (1 - new) * self._ahead[:n] + new * fresh[:n]
        return fresh
