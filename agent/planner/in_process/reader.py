"""Reading prompts: tokens and pictures into a cache of keys and values, with the system text read only once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import Cache, DynamicCache, PreTrainedModel

from tandem.agent.planner.in_process.chat import Prompt
from tandem.agent.planner.in_process.prefix import Prefixes

# Read by position from the start of the prompt, so that a later part needs them whole.
_WHOLE = ("token_type_ids", "mm_token_type_ids")


@dataclass(eq=False)
class Read:
    """A prompt that was read.

    Attributes:
        cache: keys and values of all its tokens.
        logits: float (V,) after its last token.
        position: of the next token, int64 (R, 1, 1): R is 1, or 4 where a model places tokens in time and space.
        carried: what the model needs again with each further token.
        cached: how many tokens were taken from a kept prefix.
    """

    cache: Cache
    logits: torch.Tensor
    position: torch.Tensor
    carried: dict[str, Any]
    cached: int


class Reader:
    """Reads prompts with one model.

    Args:
        model: in evaluation mode.
        reuse: keep prefixes.
    """

    def __init__(self, model: PreTrainedModel, reuse: bool):
        self._model, self._reuse = model, reuse
        self._prefixes = Prefixes()

    def read(self, prompt: Prompt, shared: Sequence[int]) -> Read:
        """Read a prompt; `shared` are the tokens that its beginning has in common with other prompts."""
        inputs = {name: self._moved(value) for name, value in prompt.others.items()}
        ids = prompt.ids.to(self._model.device)
        positions = self._positions(ids, inputs)
        cache, start, cached = self._begun(ids, positions, tuple(shared))
        out = self._model(
            input_ids=ids[:, start:], position_ids=positions[..., start:], past_key_values=cache, use_cache=True,
            logits_to_keep=1, **{name: _part(name, value, ids.shape[1], start) for name, value in inputs.items()},
        )
        carried = {name: value[:, -1:] for name, value in inputs.items() if name == "cross_attention_mask"}
        rows = positions[None] if positions.ndim == 2 else positions
        return Read(out.past_key_values, out.logits[0, -1].float(), rows[..., -1:] + 1, carried, cached)

    def _begun(self, ids: torch.Tensor, positions: torch.Tensor, shared: tuple[int, ...]) -> tuple[Cache, int, int]:
        """A cache with the shared beginning in it, its length, and how much of that was kept from earlier."""
        beginning = tuple(ids[0, : len(shared)].tolist())
        if not self._reuse or not shared or beginning != shared or len(shared) >= ids.shape[1]:
            return DynamicCache(config=self._model.config), 0, 0
        kept = self._prefixes.find(shared)
        if kept is not None:
            return kept, len(shared), len(shared)
        out = self._model(
            input_ids=ids[:, : len(shared)], position_ids=positions[..., : len(shared)],
            past_key_values=DynamicCache(config=self._model.config), use_cache=True, logits_to_keep=1,
        )
        self._prefixes.keep(shared, out.past_key_values)
        return out.past_key_values, len(shared), 0

    def _positions(self, ids: torch.Tensor, inputs: dict[str, Any]) -> torch.Tensor:
        """Where each token stands, (1, T) or (4, 1, T), exactly as `generate` would place it."""
        everything = {**inputs, "attention_mask": torch.ones_like(ids)}
        return self._model._prepare_position_ids_for_generation(ids, everything)

    def _moved(self, value: Any) -> Any:
        if not isinstance(value, torch.Tensor):
            return value
        floats = value.is_floating_point()
        return value.to(self._model.device, self._model.dtype if floats else value.dtype)


def _part(name: str, value: Any, length: int, start: int) -> Any:
    """What belongs to the tokens from `start` on."""
    aligned = isinstance(value, torch.Tensor) and value.ndim >= 2 and value.shape[:2] == (1, length)
    return value[:, start:] if aligned and name not in _WHOLE else value
