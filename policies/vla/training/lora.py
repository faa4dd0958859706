"""Low-rank adapters (LoRA, Hu et al. 2021, arXiv:2106.09685) on pi0, with peft."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn
from transformers import PI0ForConditionalGeneration

from tandem.bridge.contract import InvalidOption


@dataclass(frozen=True)
class Lora:
    """What is added to a model.

    Attributes:
        rank: of each adapter.
        alpha: the adapters' part counts alpha / rank times.
        dropout: share of an adapter's inputs that is left out in training.
        eyes: adapt what turns pictures into tokens, too.
    """

    rank: int = 16
    alpha: float = 16.0
    dropout: float = 0.0
    eyes: bool = False

    def __post_init__(self) -> None:
        if self.rank < 1 or self.alpha <= 0 or not 0 <= self.dropout < 1:
            raise InvalidOption(f"an adapter needs rank >= 1, alpha > 0 and 0 <= dropout < 1, got {self}")


def targets(model: PI0ForConditionalGeneration, *, eyes: bool) -> list[str]:
    """Full names of the linear layers that get an adapter: language, action expert and projections; eyes if wanted.

    Of the last language layer only keys and values: the actions look at these, and at nothing that comes after them.
    """
    vlm, last = model.model.vlm, model.model.vlm.language_model.layers[-1]
    left_out = {id(part) for part in last.modules()} - {id(last.self_attn.k_proj), id(last.self_attn.v_proj)}
    if not eyes:
        left_out |= {id(part) for tower in (vlm.vision_tower, vlm.multi_modal_projector) for part in tower.modules()}
    return [name for name, part in model.named_modules() if type(part) is nn.Linear and id(part) not in left_out]


def attach(model: PI0ForConditionalGeneration, lora: Lora, seed: int) -> PeftModel:
    """Put adapters into a model, in place; they alone are trained."""
    torch.manual_seed(seed)
    config = LoraConfig(
        r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=targets(model, eyes=lora.eyes),
    )
    return get_peft_model(model, config)
