"""Writes a trained model as any checkpoint is written: safetensors, processor, tokenizer, chat template."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from transformers import (
    Qwen2VLImageProcessor,
    Qwen3VLForConditionalGeneration,
    Qwen3VLProcessor,
    Qwen3VLVideoProcessor,
)

from tandem.agent.planner.training.architecture import HEIGHT, MERGE, PATCH, WIDTH
from tandem.agent.planner.training.tokenizer import wrap

TEMPLATE = (
    "{%- for message in messages %}{{ '<|im_start|>' + message.role + '\\n' }}"
    "{%- if message.content is string %}{{ message.content }}{%- else %}"
    "{%- for part in message.content %}"
    "{%- if part.type == 'image' %}{{ '<|vision_start|><|image_pad|><|vision_end|>' }}"
    "{%- elif part.type == 'text' %}{{ part.text }}{%- endif %}"
    "{%- endfor %}{%- endif %}{{ '<|im_end|>\\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{%- endif %}"
)


def processor(tokenizer: Tokenizer) -> Qwen3VLProcessor:
    """Pictures of 4:3 become `WIDTH` by `HEIGHT`, laid out as in training."""
    size = {"shortest_edge": WIDTH * HEIGHT // 2, "longest_edge": WIDTH * HEIGHT}
    options: dict[str, Any] = {
        "patch_size": PATCH, "merge_size": MERGE, "temporal_patch_size": 1, "size": size,
        "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5],
    }
    return Qwen3VLProcessor(
        image_processor=Qwen2VLImageProcessor(**options), tokenizer=wrap(tokenizer),
        video_processor=Qwen3VLVideoProcessor(**options), chat_template=TEMPLATE,
    )


def export(
    model: Qwen3VLForConditionalGeneration, tokenizer: Tokenizer, folder: Path, settings: dict[str, Any]
) -> None:
    """Write everything that `InProcessModel` loads, in bfloat16, and the planner's settings as `tandem.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    model.set_attn_implementation("sdpa")
    model.to(torch.bfloat16).save_pretrained(folder, safe_serialization=True)
    processor(tokenizer).save_pretrained(folder)
    (folder / "tandem.json").write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
