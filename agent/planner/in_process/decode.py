"""The decoding loop: each step reads the token that was chosen and all that it forced, for every unfinished reply.

Two ways of reading on satisfy `Continuation`: `Growing` takes any model and any number of replies at once; `static`
takes one reply and is made for CUDA graphs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer

from tandem.agent.planner.in_process.reader import Read
from tandem.agent.planner.in_process.writer import Writer


class Continuation(Protocol):
    """Reads on where prompts ended."""

    def feed(self, chunks: Sequence[list[int]]) -> torch.Tensor:
        """Read a chunk of tokens for each reply; float logits (B, V) after the last token of each."""

    def keep(self, rows: list[int]) -> None:
        """Go on with these replies only."""


def write(writers: Sequence[Writer], logits: Sequence[torch.Tensor], continuation: Continuation) -> None:
    """Let all writers finish.

    Args:
        writers: one for each prompt that was read.
        logits: float (V,) after each prompt.
        continuation: reads on after those prompts.
    """
    active = list(writers)
    chunks = [writer.next(row) for writer, row in zip(active, logits, strict=True)]
    while True:
        rows = [row for row, chunk in enumerate(chunks) if chunk]
        if not rows:
            return
        if len(rows) < len(active):
            continuation.keep(rows)
            active, chunks = [active[row] for row in rows], [chunks[row] for row in rows]
        after = continuation.feed(chunks)
        chunks = [writer.next(row) for writer, row in zip(active, after, strict=True)]


def may_share_a_batch(reads: Sequence[Read]) -> bool:
    """Whether these prompts can be continued side by side.

    Rows differ in length, so a shared cache has gaps, which a mask hides. Windows that slide over the gaps, states
    that run through them and keys of pictures are not of that kind; such models answer one question after another.
    """
    return all(
        not read.carried and all(type(layer) is DynamicLayer and layer.is_initialized for layer in read.cache.layers)
        for read in reads
    )


class Growing:
    """Reads on with a cache that grows, one or several prompts side by side.

    Args:
        model: that read the prompts.
        reads: the prompts; more than one only if they `may_share_a_batch`.
    """

    def __init__(self, model: PreTrainedModel, reads: Sequence[Read]):
        self._model, self._carried = model, reads[0].carried
        self._position = torch.cat([read.position for read in reads], dim=1)
        self._cache, self._seen = reads[0].cache, None
        if len(reads) > 1:
            self._cache, self._seen = _side_by_side(reads, model)

    def feed(self, chunks: Sequence[list[int]]) -> torch.Tensor:
        """Read on. Shorter chunks are padded on their left, and the mask hides the padding for good."""
        longest = max(map(len, chunks))
        ids = torch.tensor([[0] * (longest - len(chunk)) + chunk for chunk in chunks], device=self._model.device)
        lengths = torch.tensor([len(chunk) for chunk in chunks], device=ids.device)
        offsets = torch.arange(longest, device=ids.device) - (longest - lengths)[:, None]
        positions = self._position + offsets.clamp(min=0)
        if self._seen is not None:
            self._seen = torch.cat([self._seen, offsets >= 0], dim=1)
        self._position = self._position + lengths[:, None]
        out = self._model(
            input_ids=ids, attention_mask=self._seen, position_ids=positions if len(positions) > 1 else positions[0],
            past_key_values=self._cache, use_cache=True, logits_to_keep=1,
            **{name: value.expand(-1, longest, *value.shape[2:]) for name, value in self._carried.items()},
        )
        return out.logits[:, -1].float()

    def keep(self, rows: list[int]) -> None:
        """Forget the other replies."""
        index = torch.tensor(rows, device=self._position.device)
        self._position = self._position[:, index]
        if self._seen is not None:
            self._seen = self._seen[index]
            self._cache.batch_select_indices(index)


def _side_by_side(reads: Sequence[Read], model: PreTrainedModel) -> tuple[DynamicCache, torch.Tensor]:
    """One cache for all, padded on the left, and which of its places hold tokens, bool (B, T)."""
    lengths = [read.cache.get_seq_length() for read in reads]
    longest = max(lengths)
    merged = DynamicCache(config=model.config)
    for index, layer in enumerate(merged.layers):
        layers = [read.cache.layers[index] for read in reads]
        layer.update(*(
            torch.cat([
                torch.nn.functional.pad(states, (0, 0, longest - length, 0))
                for states, length in zip(kind, lengths, strict=True)
            ])
            for kind in ([one.keys for one in layers], [one.values for one in layers])
        ))
    places = torch.arange(longest)
    seen = places >= longest - torch.tensor(lengths)[:, None]
    return merged, seen.to(model.device)
