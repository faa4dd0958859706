"""pi0's two halves as two functions: reading pictures and words once a chunk, and the velocity at every denoising step.

The model, its weights and its layers are transformers'. `sample_actions` there does the same sums in one call; here the
reading's keys and values are kept apart, so that steps share them without growing and cropping a cache, so that a
sampler of its own (real-time chunking) may ask for velocities, and so that every shape is the same from chunk to chunk.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor
from transformers import PI0ForConditionalGeneration
from transformers.models.gemma.modeling_gemma import GemmaDecoderLayer, apply_rotary_pos_emb


@dataclass(frozen=True, eq=False)
class Asked:
    """What a chunk is asked for.

    Attributes:
        tokens: (1, P) pictures' places, then words, then padding.
        told: (1, P) 1 where there is a token, 0 for padding.
        pixels: (1, C, 3, h, w) normalised, in the network's number format.
        state: (1, S) scaled and padded with zeros, in the network's number format.
    """

    tokens: Tensor
    told: Tensor
    pixels: Tensor
    state: Tensor

    def tensors(self) -> tuple[Tensor, ...]:
        """In the order of the fields."""
        return tuple(getattr(self, field.name) for field in fields(self))


@dataclass(frozen=True, eq=False)
class Prefix:
    """What was read, for all steps of a chunk.

    Attributes:
        keys: (L, 1, heads, P, d) of each layer.
        values: likewise.
        mask: (1, 1, K + 1, P + K + 1) what state and actions look at.
        places: (1, K + 1) their positions.
        state: (1, S) as asked.
    """

    keys: Tensor
    values: Tensor
    mask: Tensor
    places: Tensor
    state: Tensor

    def tensors(self) -> tuple[Tensor, ...]:
        """In the order of the fields."""
        return tuple(getattr(self, field.name) for field in fields(self))


class _Kept:
    """A cache that only listens: keys and values of each layer as they are made."""

    def __init__(self) -> None:
        self.keys: list[Tensor] = []
        self.values: list[Tensor] = []

    def update(self, keys: Tensor, values: Tensor, *_: object) -> tuple[Tensor, Tensor]:
        self.keys.append(keys)
        self.values.append(values)
        return keys, values


class _Before:
    """A cache that keeps nothing: what was read comes before what is new, and no step sees another."""

    def __init__(self, prefix: Prefix):
        self._prefix = prefix

    def update(self, keys: Tensor, values: Tensor, layer: int, *_: object) -> tuple[Tensor, Tensor]:
        prefix = self._prefix
        return torch.cat((prefix.keys[layer], keys), dim=-2), torch.cat((prefix.values[layer], values), dim=-2)


def _keys_and_values(
    layer: GemmaDecoderLayer, hidden: Tensor, rotation: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor]:
    """Of the last layer, of which nothing else is looked at: its attention and its feed-forward part are left out."""
    attention, normal = layer.self_attn, layer.input_layernorm(hidden)
    shape = (*normal.shape[:-1], -1, attention.head_dim)
    keys, values = (part(normal).view(shape).transpose(1, 2) for part in (attention.k_proj, attention.v_proj))
    return apply_rotary_pos_emb(keys, keys, *rotation)[1], values


class Network:
    """The two functions.

    Args:
        model: in evaluation mode, with the attention implementation "sdpa".
    """

    def __init__(self, model: PI0ForConditionalGeneration):
        self.model, self.config = model, model.config
        self.horizon, self.width = model.config.chunk_size, model.config.max_action_dim
        self.device, self.dtype = model.action_out_proj.weight.device, model.action_out_proj.weight.dtype

    def read(self, asked: Asked) -> Prefix:
        """Pictures and words, which look at one another in both directions."""
        with torch.no_grad():
            return Prefix(*self.read_tensors(*asked.tensors()))

    def velocity(self, prefix: Prefix, noisy: Tensor, time: Tensor) -> Tensor:
        """(K, a) velocity towards actions at noisy actions (K, a) and flow time (1,), 0 noise to 1 actions."""
        return self.velocity_tensors(*prefix.tensors(), noisy, time)

    def read_tensors(self, tokens: Tensor, told: Tensor, pixels: Tensor, state: Tensor) -> tuple[Tensor, ...]:
        """`read` on bare tensors, which is what a compiler takes."""
        language, kept = self.model.model.vlm.language_model, _Kept()
        shown = torch.ones(pixels.shape[:2], dtype=torch.bool, device=pixels.device)
        hidden, places = self.model.model.embed_prefix(tokens, pixels, shown), told.cumsum(-1) - 1
        rotation = language.rotary_emb(hidden, position_ids=places)
        mask = told.bool()[:, None, None, :].expand(-1, 1, tokens.shape[1], -1)
        for layer in language.layers[:-1]:
            hidden = layer(
                hidden, attention_mask=mask, position_ids=places, past_key_values=kept, position_embeddings=rotation)
        kept.update(*_keys_and_values(language.layers[-1], hidden, rotation))
        return torch.stack(kept.keys), torch.stack(kept.values), *self._outlook(told), state

    def velocity_tensors(
        self, keys: Tensor, values: Tensor, mask: Tensor, places: Tensor, state: Tensor, noisy: Tensor, time: Tensor,
    ) -> Tensor:
        """`velocity` on bare tensors. The model's own time runs from 1 to 0, and its velocity away from the actions."""
        model = self.model
        embedded = model.embed_action_time(state, noisy[None].to(self.dtype), 1.0 - time)
        before = _Before(Prefix(keys, values, mask, places, state))
        hidden = model.model.dit(
            inputs_embeds=embedded, attention_mask=mask, position_ids=places, past_key_values=before, use_cache=False,
        ).last_hidden_state
        return -model.action_out_proj(hidden[0, 1:]).to(noisy.dtype)

    def _outlook(self, told: Tensor) -> tuple[Tensor, Tensor]:
        """Mask and positions of state and actions: the state looks at what was read, the actions at everything."""
        steps = self.horizon + 1
        block = torch.ones(steps, steps, dtype=torch.bool, device=told.device)
        block[0, 1:] = False
        seen = told.bool()[:, None, :].expand(-1, steps, -1)
        mask = torch.cat((seen, block[None].expand(len(told), -1, -1)), dim=-1)[:, None]
        return mask, told.sum(-1, keepdim=True) + torch.arange(steps, device=told.device)
