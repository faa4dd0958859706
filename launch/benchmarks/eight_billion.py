"""A checkpoint with the real configuration of Qwen3-VL-8B-Instruct and random weights: as fast as the real one.

The tokenizer is a small one, since none can be fetched everywhere: a plan has more tokens than with the real one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers as hf
from benchmarks.small_families import build

TEXT = {
    "vocab_size": 151936, "hidden_size": 4096, "intermediate_size": 12288, "num_hidden_layers": 36,
    "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128, "max_position_embeddings": 262144,
    "rope_parameters": {
        "rope_type": "default", "rope_theta": 5_000_000.0, "mrope_section": [24, 20, 20], "mrope_interleaved": True,
    },
}
VISION = {
    "depth": 27, "hidden_size": 1152, "intermediate_size": 4304, "num_heads": 16, "patch_size": 16,
    "spatial_merge_size": 2, "temporal_patch_size": 2, "out_hidden_size": 4096, "num_position_embeddings": 2304,
    "deepstack_visual_indexes": [8, 16, 24],
}
PIXELS = {"shortest_edge": 65_536, "longest_edge": 16_777_216}
NEEDS_BYTES = 40e9  # of GPU memory: the weights, and room to work


def write(
    folder: Path, *, device: str = "cuda", text: dict[str, Any] | None = None, vision: dict[str, Any] | None = None
) -> Path:
    """Write the checkpoint, about 18 GB in bfloat16.

    Args:
        folder: where to.
        device: where the weights are drawn.
        text: other values for the text model, to try it out small.
        vision: likewise for the eyes.
    """
    build("qwen3_vl", folder)  # tokenizer, chat template and processor
    processor = hf.AutoProcessor.from_pretrained(folder)
    small = hf.AutoConfig.from_pretrained(folder)
    tokens = ("image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id")
    end = processor.tokenizer.eos_token_id
    text = {**TEXT, **(text or {}), "bos_token_id": None, "eos_token_id": end, "pad_token_id": end}
    vision = {**VISION, **(vision or {}), "out_hidden_size": text["hidden_size"]}
    config = hf.Qwen3VLConfig(
        text_config=text, vision_config=vision, tie_word_embeddings=False,
        **{name: getattr(small, name) for name in tokens},
    )
    standard = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device(device):
            model = hf.Qwen3VLForConditionalGeneration(config)
    finally:
        torch.set_default_dtype(standard)
    model.generation_config.eos_token_id = end
    model.save_pretrained(folder)
    processor.image_processor.patch_size = VISION["patch_size"]
    processor.image_processor.size = PIXELS
    processor.save_pretrained(folder)
    return folder
