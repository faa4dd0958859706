"""Attention of a few new tokens to a long cache, without a copy of keys and values for each head of a group.

With a mask the stock attention first repeats keys and values for all heads that share them (grouped-query attention,
Ainslie et al. 2023): of a long cache that is more to read and write than the weights of a layer are worth a step. Here
the heads of a group stand side by side as rows of one product, and the sum over the cache is taken in pieces, so that
the whole of a GPU works on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import AttentionInterface, PretrainedConfig

NAME = "tandem_grouped"
PIECE = 256  # places of the cache that are summed together; a cache holds a whole number of them


def attend(
    module: torch.nn.Module, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, attention_mask: torch.Tensor,
    scaling: float | None = None, **_: Any,
) -> tuple[torch.Tensor, None]:
    """Satisfies transformers' interface of attention functions.

    Args:
        module: ignored.
        query: (B, heads, L, width).
        key, value: (B, groups, places, width).
        attention_mask: bool (B or 1, 1, L, places), true where a token may look.
        scaling: of the products; 1 / sqrt(width) if left out.

    Returns:
        (B, L, heads, width), and no weights.
    """
    count, heads, length, width = query.shape
    groups, places = key.shape[1:3]
    each = heads // groups
    rows = query.reshape(count, groups, each * length, width) * (scaling or width**-0.5)
    scores = (rows @ key.transpose(2, 3)).view(count, groups, each, length, places).float()
    weights = scores.masked_fill(~attention_mask[:, :, None], float("-inf")).softmax(-1).to(value.dtype)
    pieces = weights.view(count, groups, each * length, -1, PIECE).transpose(2, 3)
    mixed = (pieces @ value.view(count, groups, -1, PIECE, value.shape[-1])).float().sum(2).to(value.dtype)
    return mixed.view(count, heads, length, -1).transpose(1, 2), None


AttentionInterface.register(NAME, attend)


@contextmanager
def grouped(config: PretrainedConfig) -> Iterator[None]:
    """Layers that read this configuration attend in this way."""
    before = config._attn_implementation
    config._attn_implementation = NAME
    try:
        yield
    finally:
        config._attn_implementation = before
