"""Keys and values of prompt beginnings, kept from question to question.

All questions of one kind begin with the same system text. It is read once; what is kept is lent to each question as a
cache of its own that grows apart from the original.
"""

from __future__ import annotations

import copy
from collections import OrderedDict

from transformers import Cache
from transformers.cache_utils import DynamicLayer

_KEPT = 8  # system texts: four prompts, with and without thoughts


def lend(cache: Cache) -> Cache:
    """A cache that begins as this one and leaves it unchanged when it grows."""
    if not all(type(layer) is DynamicLayer for layer in cache.layers):
        return copy.deepcopy(cache)
    # A plain layer grows by concatenation into new tensors, so that its contents can be shared.
    lent = copy.copy(cache)
    lent.layers = [copy.copy(layer) for layer in cache.layers]
    return lent


class Prefixes:
    """The beginnings that were read last, by their tokens."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[int, ...], Cache] = OrderedDict()

    def find(self, tokens: tuple[int, ...]) -> Cache | None:
        """A cache that holds exactly these tokens, to be used up; None when they were not read yet."""
        if tokens not in self._kept:
            return None
        self._kept.move_to_end(tokens)
        return lend(self._kept[tokens])

    def keep(self, tokens: tuple[int, ...], cache: Cache) -> None:
        """Keep what was read; the oldest goes when there are too many."""
        self._kept[tokens] = lend(cache)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
