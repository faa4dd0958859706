"""Attention for training on a CPU: plain matrix products in bfloat16, over twice as fast there as the fused kernel.

The mathematics is the stock one, so a checkpoint trained with it runs under any other implementation.
"""

from __future__ import annotations

from types import MethodType

import torch
from torch import nn
from transformers import AttentionInterface
from transformers.models.qwen3_vl.modeling_qwen3_vl import apply_rotary_pos_emb_vision

NAME = "tandem_products"


def products(
    module: nn.Module, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, attention_mask: torch.Tensor | None,
    scaling: float | None = None, dropout: float = 0.0, **_: object,
) -> tuple[torch.Tensor, None]:
    """Softmax attention; see `transformers.AttentionInterface`. Causal where the module is and no mask is given."""
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    weights = (query * (scaling or query.shape[-1] ** -0.5)) @ key.transpose(-1, -2)
    if attention_mask is not None:
        mask = attention_mask[..., : key.shape[-2]]
        weights = weights.masked_fill(~mask, float("-inf")) if mask.dtype == torch.bool else weights + mask
    elif getattr(module, "is_causal", False):
        length = query.shape[-2]
        later = torch.ones(length, length, dtype=torch.bool, device=query.device).triu(1)
        weights = weights.masked_fill(later, float("-inf"))
    return (weights.softmax(-1) @ value).transpose(1, 2).contiguous(), None


AttentionInterface.register(NAME, products)


def attend_evenly(vision: nn.Module) -> None:
    """Let a vision tower's attention take all pictures of a batch in one product; they must be of one size."""
    for block in vision.blocks:
        block.attn.forward = MethodType(_even, block.attn)


def _even(
    self: nn.Module, hidden_states: torch.Tensor, cu_seqlens: torch.Tensor,
    position_embeddings: tuple[torch.Tensor, torch.Tensor], **_: object,
) -> torch.Tensor:
    count, total = len(cu_seqlens) - 1, hidden_states.shape[0]
    split = self.qkv(hidden_states).reshape(total, 3, self.num_heads, -1).permute(1, 0, 2, 3)
    query, key = apply_rotary_pos_emb_vision(split[0], split[1], *position_embeddings)
    query, key, value = (
        part.view(count, total // count, self.num_heads, -1).transpose(1, 2) for part in (query, key, split[2])
    )
    mixed, _ = products(self, query, key.to(query.dtype), value.to(query.dtype), None, scaling=self.scaling)
    return self.proj(mixed.reshape(total, -1))
