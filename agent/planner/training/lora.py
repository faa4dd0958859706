"""Low-rank adapters (LoRA, Hu et al. 2021, arXiv:2106.09685) on the language part of any checkpoint, with peft."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn
from transformers import PreTrainedModel

from tandem.agent.planner.in_process.load import Loaded
from tandem.bridge.contract import InvalidOption, ModelUnusable

# In a mixture of experts peft takes these names for the tensors that hold all experts at once.
_OF_EXPERTS = ("gate_proj", "up_proj", "gate_up_proj", "down_proj")


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
    alpha: float = 32
    dropout: float = 0.05
    eyes: bool = False

    def __post_init__(self) -> None:
        if self.rank < 1 or self.alpha <= 0 or not 0 <= self.dropout < 1:
            raise InvalidOption(f"an adapter needs rank >= 1, alpha > 0 and 0 <= dropout < 1, got {self}")


def targets(model: PreTrainedModel, *, eyes: bool) -> list[str]:
    """Full names of the linear layers that get an adapter.

    All of the language part; with `eyes` all others, too. Never the output layer, which many models share with the
    embeddings. Of a mixture of experts only what all tokens pass through and is no feed-forward layer: experts are
    tensors of three axes and routers give more than a product, which are no linear layers.
    """
    language, head = model.get_decoder(), model.get_output_embeddings()
    inside = {id(module) for module in language.modules()}
    # Kinds derived from Linear do other things as well (a router chooses): exactly Linear is what LoRA is made for.
    linear = {name: part for name, part in model.named_modules() if type(part) is nn.Linear and part is not head}
    names = [name for name, part in linear.items() if eyes or id(part) in inside]
    if has_experts(model):
        names = [name for name in names if id(linear[name]) not in inside or not name.endswith(_OF_EXPERTS)]
    return names


def has_experts(model: PreTrainedModel) -> bool:
    """Whether the language part is a mixture of experts."""
    return any("experts" in name and weight.ndim == 3 for name, weight in model.get_decoder().named_parameters())


def attach(loaded: Loaded, lora: Lora, seed: int) -> PeftModel:
    """Put adapters into a model, in place; all else stays as it is. Raises `ModelUnusable` if there is no place."""
    names = targets(loaded.model, eyes=lora.eyes)
    if not names:
        raise ModelUnusable(f"{loaded.checkpoint.name} has no plain linear layers to adapt: take weights of 16 bits")
    torch.manual_seed(seed)
    config = LoraConfig(r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=names)
    adapted = get_peft_model(loaded.model, config)
    config.base_model_name_or_path, config.revision = loaded.checkpoint.name, loaded.checkpoint.revision
    return adapted
