"""The choice of one token among those that are allowed."""

from __future__ import annotations

import torch

from tandem.agent.planner.in_process.options import Sampling


class Sampler:
    """Chooses tokens, reproducibly.

    Args:
        sampling: how.
    """

    def __init__(self, sampling: Sampling):
        self._sampling = sampling
        self._generator = torch.Generator().manual_seed(sampling.seed)

    def choose(self, logits: torch.Tensor) -> int:
        """A token, given float logits (V,) in which what is not allowed is -inf."""
        if self._sampling.temperature == 0:
            return int(logits.argmax())
        chances = torch.softmax(logits.float() / self._sampling.temperature, dim=-1)
        if self._sampling.top_p < 1:
            ordered, order = chances.sort(descending=True)
            ordered[ordered.cumsum(0) - ordered >= self._sampling.top_p] = 0
            chances = torch.zeros_like(chances).scatter_(0, order, ordered)
        return int(torch.multinomial(chances.cpu(), 1, generator=self._generator))
