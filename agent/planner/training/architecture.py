"""The embedded model's architecture: stock Qwen3-VL, small."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

PATCH, MERGE = 10, 4  # small things are two or three patches wide
CELL = PATCH * MERGE  # pixels of the picture for each visual token
WIDTH, HEIGHT = 640, 480
CELLS = HEIGHT // CELL, WIDTH // CELL  # rows and columns of visual tokens
PLACE_SCALE = 0.25  # of the waves that tell a patch where it is
NEAR = ((-1, 0), (0, -1), (1, 0), (0, 1))  # where heads of the vision tower look at first: rows, columns
NEARNESS = (5.0, 4.0, 3.0)  # how sharply, for the three highest frequencies of a head: the field repeats far outside


def configuration(vocabulary: int, ids: dict[str, int]) -> Qwen3VLConfig:
    """About 11 million parameters. Pictures come as the camera takes them; a token stands for 40 by 40 pixels.

    Args:
        vocabulary: number of tokens.
        ids: of the tokens `image`, `video`, `vision_start`, `vision_end`, `end`, `pad`.
    """
    vision = {
        "depth": 6, "hidden_size": 128, "intermediate_size": 512, "num_heads": 4, "patch_size": PATCH,
        "spatial_merge_size": MERGE, "temporal_patch_size": 1, "out_hidden_size": 256,
        "num_position_embeddings": 32 * 32, "deepstack_visual_indexes": [],
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
    """A model with random weights, float32, that begins in some order: what is near is alike.

    Numbers and places begin as waves, the first layer as coarse to fine patterns of light and colour (a cosine
    transform), and most heads of the vision tower look beside their patch, as a convolution does
    (d'Ascoli et al. 2021, ConViT).

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
        proj = model.model.visual.patch_embed.proj
        proj.weight.copy_(cosine_patterns(proj.weight.shape[0]).view_as(proj.weight))
        for number, block in enumerate(model.model.visual.blocks):
            _look_near(block.attn, NEAR[number % len(NEAR) :] + NEAR[: number % len(NEAR)])
        model.model.visual.merger.linear_fc2.weight *= 0.1  # it begins by saying little
    return model


def cosine_patterns(count: int) -> torch.Tensor:
    """(count, 3, PATCH, PATCH) the lowest frequencies of a cosine transform, of light and of two colour differences."""
    side = math.isqrt(count // 3)
    at = (torch.arange(PATCH) + 0.5) / PATCH
    curves = torch.cos(math.pi * torch.arange(side)[:, None] * at) * math.sqrt(2) / PATCH
    planes = torch.einsum("ui,vj->uvij", curves, curves)
    loudness = 0.3 * (1 + torch.arange(side)[:, None] + torch.arange(side))  # pictures have little of what is fine
    colours = torch.tensor([[1.0, 1, 1], [1, -1, 0], [1, 1, -2]])
    colours /= colours.norm(dim=1, keepdim=True)
    patterns = torch.einsum("kc,uvij->kuvcij", colours, planes * loudness[..., None, None])
    found = patterns.reshape(-1, 3, PATCH, PATCH)
    rest = torch.randn(count - len(found), 3, PATCH, PATCH) / (math.sqrt(3) * PATCH)
    return torch.cat([found, rest])


def _look_near(attention: torch.nn.Module, offsets: Sequence[tuple[int, int]]) -> None:
    """Set biases of queries and keys so that a head attends to one offset, whatever is there; one head stays free."""
    width = attention.head_dim
    frequencies = 1.0 / (10000 ** (torch.arange(0, width // 2, 2) / (width // 2)))
    query, key, _ = attention.qkv.bias.view(3, attention.num_heads, width)
    for head, offset in enumerate(offsets[: attention.num_heads - 1]):
        for k, strength in enumerate(NEARNESS):
            size = math.sqrt(strength / attention.scaling)
            for axis, shift in enumerate(offset):
                at, angle = axis * width // 4 + k, float(frequencies[k]) * shift
                key[head, at] = size
                query[head, at], query[head, at + width // 2] = size * math.cos(angle), size * math.sin(angle)


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
