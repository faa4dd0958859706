"""Writes a trained model as any checkpoint is written: safetensors, processor, tokenizer, chat template."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import (
    Qwen2VLImageProcessor,
    Qwen3VLForConditionalGeneration,
    Qwen3VLProcessor,
    Qwen3VLVideoProcessor,
)

from tandem.agent.planner.training.architecture import HEIGHT, MERGE, PATCH, WIDTH
from tandem.agent.planner.training.tokenizer import wrap
from tandem.bridge.contract import InvalidOption

WEIGHTS = "model.safetensors"

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


def average(folders: Sequence[Path], to: Path) -> None:
    """Write the mean of exported checkpoints, weight by weight: runs from one start, which it outdoes (Wortsman 2022).

    Raises:
        InvalidOption: fewer than two, or one that cannot be read or has other weights than the first.
    """
    if len(folders) < 2:
        raise InvalidOption(f"an average takes two checkpoints or more, got {len(folders)}")
    total: dict[str, torch.Tensor] = {}
    for folder in folders:
        try:
            weights = {name: weight.double() for name, weight in load_file(folder / WEIGHTS).items()}
        except OSError as reason:
            raise InvalidOption(f"{folder} holds no {WEIGHTS}: {reason}; export it first") from reason
        shapes, wanted = ({name: tuple(w.shape) for name, w in one.items()} for one in (weights, total or weights))
        if shapes != wanted:
            odd = next(name for name in {**shapes, **wanted} if shapes.get(name) != wanted.get(name))
            raise InvalidOption(f"{folder} is another model than {folders[0]}: {odd} differs")
        total = {name: total[name] + weight if total else weight for name, weight in weights.items()}
    shutil.copytree(folders[0], to, dirs_exist_ok=True, ignore=shutil.ignore_patterns(WEIGHTS, "README.md"))
    mean = {name: (weight / len(folders)).to(torch.bfloat16) for name, weight in total.items()}
    save_file(mean, to / WEIGHTS, metadata={"format": "pt"})
