"""The text tower in training: the stock weights and mathematics, with visual tokens and their places given.

Pictures come as codes and the cells that they belong to, so that it makes no difference to the text tower whether it
reads what eyes saw or what it is let imagine, and empty cells can be left out. Plain matrix products in bfloat16 take
half the time of the fused attention on a CPU.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from transformers.models.qwen3_vl.modeling_qwen3_vl import rotate_half

from tandem.agent.planner.training.architecture import CELLS


class Mind(nn.Module):
    """Runs a stock text tower; see the module.

    Args:
        tower: `Qwen3VLTextModel`, whose weights are used and trained.
        image: id of the token that stands for a cell of a picture.
        compiled: fuse what lies between matrix products (`torch.compile`, needs a C++ compiler): faster after minutes.
    """

    def __init__(self, tower: nn.Module, image: int, *, compiled: bool = False):
        super().__init__()
        self.tower, self._image = tower, image
        if compiled:  # one for each length of a batch, with and without pictures
            torch._dynamo.config.cache_size_limit = max(64, torch._dynamo.config.cache_size_limit)
        self._layer = torch.compile(_layer, dynamic=False) if compiled else _layer

    def forward(self, ids: torch.Tensor, places: torch.Tensor, codes: torch.Tensor | None) -> torch.Tensor:
        """States (B, L, width) after the last layer.

        Args:
            ids: int (B, L), padded on the right.
            places: int (3, B, L) of `places_of`.
            codes: (K, width) of all cells of all pictures in order; None if there are no pictures.
        """
        hidden = self.tower.embed_tokens(ids)
        if codes is not None:
            hidden = hidden.masked_scatter((ids == self._image)[..., None], codes.to(hidden.dtype))
        cos, sin = (turn[:, None] for turn in self.tower.rotary_emb(hidden, places))
        length = ids.shape[1]
        later = torch.full((length, length), float("-inf"), device=ids.device).triu(1)
        if torch.is_autocast_enabled(ids.device.type):
            half = torch.get_autocast_dtype(ids.device.type)
            hidden, cos, sin, later = (part.to(half) for part in (hidden, cos, sin, later))
        for layer in self.tower.layers:
            hidden = self._layer(layer, hidden, cos, sin, later)
        return _normed(self.tower.norm, hidden)


def places_of(ids: np.ndarray, image: int, cells: Sequence[np.ndarray]) -> np.ndarray:
    """int (3, L): time, row and column of every token, as the stock model counts them.

    Args:
        ids: int (L,) one sequence.
        image: id of the token that stands for a cell.
        cells: for each picture, the numbers of its cells that are given, row by row.
    """
    places, at, shown, index = np.zeros((3, len(ids)), np.int64), 0, iter(cells), 0
    while index < len(ids):
        if ids[index] == image:
            given = next(shown)
            rows, columns = np.divmod(given, CELLS[1])
            places[:, index : index + len(given)] = at + np.stack([np.zeros_like(rows), rows, columns])
            at, index = at + max(CELLS), index + len(given)
        else:
            places[:, index], at, index = at, at + 1, index + 1
    return places


def _layer(
    layer: nn.Module, hidden: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, later: torch.Tensor
) -> torch.Tensor:
    attention, (count, length, _) = layer.self_attn, hidden.shape
    known = _normed(layer.input_layernorm, hidden)
    split = (count, length, -1, attention.head_dim)
    query = _normed(attention.q_norm, attention.q_proj(known).view(split)).transpose(1, 2)
    key = _normed(attention.k_norm, attention.k_proj(known).view(split)).transpose(1, 2)
    value = attention.v_proj(known).view(split).transpose(1, 2)
    query, key = query * cos + rotate_half(query) * sin, key * cos + rotate_half(key) * sin
    groups = attention.num_key_value_groups
    key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    weights = ((query * attention.scaling) @ key.transpose(-1, -2) + later).softmax(-1)
    mixed = (weights @ value).transpose(1, 2).reshape(count, length, -1)
    hidden = hidden + attention.o_proj(mixed)
    return hidden + layer.mlp(_normed(layer.post_attention_layernorm, hidden))


def _normed(norm: nn.Module, states: torch.Tensor) -> torch.Tensor:
    whole = states.float()
    scale = torch.rsqrt(whole.pow(2).mean(-1, keepdim=True) + norm.variance_epsilon)
    return (whole * scale * norm.weight).to(states.dtype)
