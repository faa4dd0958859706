"""Writing without a grammar, to measure what it is worth: the reply may be anything, and often is no answer."""

from __future__ import annotations

import torch


class Free:
    """Takes the place of a `Guide`: everything is allowed until the model stops by itself.

    Args:
        stops: tokens that end any text of the model.
    """

    def __init__(self, stops: set[int]):
        self._stops = stops
        self.finished = False

    def restrict(self, logits: torch.Tensor) -> torch.Tensor:
        """The logits as they are."""
        return logits

    def accept(self, token: int) -> None:
        """Go on; a stop ends the reply."""
        self.finished = token in self._stops

    def forced(self) -> list[int]:
        """Nothing is."""
        return []
