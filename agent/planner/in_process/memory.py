"""How much memory a model will take, from its configuration alone, and the refusal of one that does not fit.

The model is built on torch's `meta` device, where tensors have shapes and no contents: its parameters are counted, not
guessed from a name, before a byte is downloaded.
"""

from __future__ import annotations

import torch
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText, PreTrainedConfig

from tandem.agent.planner.in_process.checkpoint import Checkpoint
from tandem.agent.planner.in_process.device import free_bytes
from tandem.agent.planner.in_process.options import Options
from tandem.bridge.checkpoints import Need, require_room


def estimate(config: PreTrainedConfig, sees: bool, dtype: torch.dtype, options: Options) -> Need:
    """What a model with this configuration will need."""
    auto = AutoModelForImageTextToText if sees else AutoModelForCausalLM
    with torch.device("meta"):
        model = auto.from_config(config, dtype=dtype)
    width = dtype.itemsize
    numbers = sum(parameter.numel() for parameter in model.parameters())
    if options.bits < 16:
        packed = sum(module.weight.numel() for name, module in model.named_modules()
                     if isinstance(module, torch.nn.Linear) and "lm_head" not in name)
        # Quantised weights carry a scale for each block of 64 numbers.
        weights = (numbers - packed) * width + packed * options.bits // 8 + packed // 16
    else:
        weights = numbers * width
    text = config.get_text_config(decoder=True)
    context = min(options.context, text.max_position_embeddings)
    wide = max(getattr(text, "intermediate_size", 0), 4 * text.hidden_size)
    working = context * (3 * wide + 8 * text.hidden_size) * width + 4 * text.vocab_size * 4
    return Need(numbers, weights, 2 * _cache_bytes(text, context, width), working)


def admit(checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype, options: Options) -> Need:
    """What the model needs. Raises `ModelUnusable` with the numbers when it does not fit beside what is reserved."""
    need = estimate(checkpoint.config, checkpoint.family.sees, dtype, options)
    require_room(
        checkpoint.name, need, free_bytes(device), options.reserve_gb, device=device.type,
        remedy=f"A context is {options.context} tokens. Take a smaller model, bits=8 or bits=4, or a server.",
    )
    return need


def _cache_bytes(text: PreTrainedConfig, context: int, width: int) -> int:
    """Keys and values of one context. Layers of limited reach (windows, linear attention) need less; no harm."""
    layers = text.num_hidden_layers
    if getattr(text, "kv_lora_rank", None):  # multi-head latent attention, expanded in the cache
        row = text.num_attention_heads * (text.qk_nope_head_dim + text.qk_rope_head_dim + text.v_head_dim)
    else:
        head = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
        row = 2 * (getattr(text, "num_key_value_heads", None) or text.num_attention_heads) * head
    return layers * row * context * width
