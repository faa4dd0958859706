"""The embedded model's architecture: stock Qwen3-VL, small."""

from __future__ import annotations

import math

import torch
from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

PATCH, MERGE = 16, 2
CELL = PATCH * MERGE  # pixels of the resized image for each token
WIDTH, HEIGHT = 384, 288
PLACE_SCALE = 0.25  # of the waves that tell a patch where it is


def configuration(vocabulary: int, ids: dict[str, int]) -> Qwen3VLConfig:
    """About 8 million parameters.

    Args:
        vocabulary: number of tokens.
        ids: of the tokens `image`, `video`, `vision_start`, `vision_end`, `end`, `pad`.
    """
    vision = {
        "depth": 6, "hidden_size": 160, "intermediate_size": 480, "num_heads": 5, "patch_size": PATCH,
        "spatial_merge_size": MERGE, "temporal_patch_size": 1, "out_hidden_size": 256,
        "num_position_embeddings": 24 * 24, "deepstack_visual_indexes": [5],
    }
    text = {
        "vocab_size": vocabulary, "hidden_size": 256, "intermediate_size": 704, "num_hidden_layers": 6,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 64, "max_position_embeddings": 4096,
        "rope_parameters": {
            "rope_type": "default", "rope_theta": 10000.0, "mrope_section": [12, 10, 10], "mrope_interleaved": True
        },
        "bos_token_id": None, "eos_token_id": ids["end"], "pad_token_id": ids["pad"], "tie_word_embeddings": True,
    }
    return Qwen3VLConfig(
        text_config=text, vision_config=vision, image_token_id=ids["image"], video_token_id=ids["video"],
        vision_start_token_id=ids["vision_start"], vision_end_token_id=ids["vision_end"], tie_word_embeddings=True,
    )


def build(config: Qwen3VLConfig, number_ids: list[int], seed: int = 0) -> Qwen3VLForConditionalGeneration:
    """A model with random weights, float32; only places and numbers begin in an order: what is near is alike.

    Args:
        config: the architecture.
        number_ids: tokens of the numbers from 0 up.
        seed: of the weights.
    """
    torch.manual_seed(seed)
    model = Qwen3VLForConditionalGeneration(config).float()
    with torch.no_grad():
        words, places = model.get_input_embeddings().weight, model.model.visual.pos_embed.weight
        order = waves(torch.arange(len(number_ids)), words.shape[1], 12, 1000)
        words[number_ids] = order * config.text_config.initializer_range
        side, width = int(len(places) ** 0.5), places.shape[1] // 2
        row = waves(torch.arange(side), width, 3, 2 * side) * PLACE_SCALE
        places += torch.cat([row.repeat_interleave(side, 0), row.repeat(side, 1)], 1)
    return model


def waves(position: torch.Tensor, width: int, shortest: float, longest: float) -> torch.Tensor:
    """(K, width) sines and cosines of unit variance of positions (K,), with wavelengths between two."""
    lengths = torch.exp(torch.linspace(math.log(shortest), math.log(longest), width // 2))
    angle = position[:, None] * 2 * math.pi / lengths
    return torch.cat([angle.sin(), angle.cos()], 1) * math.sqrt(2)


def patches(pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures as the processor lays them out.

    Args:
        pictures: uint8 (B, H, W, 3).

    Returns:
        float32 (B * patches, 3 * PATCH * PATCH) scaled to -1..1, and int64 (B, 3) the grid of each.
    """
    count, height, width, _ = pictures.shape
    rows, columns = height // PATCH, width // PATCH
    scaled = pictures.permute(0, 3, 1, 2).float() / 127.5 - 1.0
    laid = scaled.view(count, 3, rows // MERGE, MERGE, PATCH, columns // MERGE, MERGE, PATCH)
    laid = laid.permute(0, 2, 5, 3, 6, 1, 4, 7)  # cell row, cell column, row in it, column in it, channel, y, x
    grid = torch.tensor([[1, rows, columns]], device=pictures.device).repeat(count, 1)
    return laid.reshape(count * rows * columns, -1), grid
