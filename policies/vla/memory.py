"""How much memory a pi0 takes, from its configuration alone, and the refusal of one that does not fit.

It is built on torch's `meta` device, where tensors have shapes and no contents: parameters are counted, not guessed,
before a byte of them is downloaded.
"""

from __future__ import annotations

import psutil
import torch
from transformers import PI0Config, PI0ForConditionalGeneration

from tandem.bridge.checkpoints import Need, require_room
from tandem.bridge.contract import InvalidOption

_WORDS = 48  # tokens of an instruction


def estimate(config: PI0Config, dtype: torch.dtype, pictures: int = 3) -> Need:
    """What a model with this configuration needs, shown that many pictures at a time."""
    with torch.device("meta"):
        model = PI0ForConditionalGeneration._from_config(config, dtype=dtype)
    parameters = sum(weight.numel() for weight in model.parameters())
    text, eyes, width = config.vlm_config.text_config, config.vlm_config.vision_config, dtype.itemsize
    tokens = pictures * (eyes.image_size // eyes.patch_size) ** 2 + _WORDS
    cache = 2 * text.num_hidden_layers * tokens * text.num_key_value_heads * text.head_dim * width
    working = tokens * (3 * text.intermediate_size + 8 * text.hidden_size) * width
    return Need(parameters, parameters * width, 2 * cache, working)


def admit(name: str, config: PI0Config, device: torch.device, dtype: torch.dtype, reserve_gb: float = 0.0) -> Need:
    """What it needs. Raises `ModelUnusable` with the numbers when that does not fit beside what is reserved."""
    need, free = estimate(config, dtype), free_bytes(device)
    require_room(
        name, need, free, reserve_gb, device=device.type,
        remedy="Take bfloat16 (--dtype), another device, or a policy server.",
    )
    return need


def device_named(name: str) -> torch.device:
    """The device that is meant; "auto" takes CUDA, then the CPU. Raises `InvalidOption` for one that is not here."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device("cuda" if there["cuda"] else "cpu")
    if not there.get(name):
        here = ", ".join(name for name, is_there in there.items() if is_there)
        raise InvalidOption(f"device {name!r} is not available here; there are: {here}")
    return torch.device(name)


def dtype_named(name: str, device: torch.device) -> torch.dtype:
    """The number format of the weights; "auto" is float32 on a CPU, else bfloat16. Raises `InvalidOption`."""
    if name == "auto":
        return torch.float32 if device.type == "cpu" else torch.bfloat16
    if name not in ("bfloat16", "float32"):
        raise InvalidOption(f"pi0 runs in bfloat16 or float32, got {name!r}")
    return getattr(torch, name)


def free_bytes(device: torch.device) -> int:
    """Memory that could be taken now."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory()
    return psutil.virtual_memory().available
