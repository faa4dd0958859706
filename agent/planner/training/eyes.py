"""The vision tower on parts of pictures: windows of whole cells, each at its own place in the picture.

What a thing is shows in its surroundings, so a window teaches as much as a picture does, for a fraction of the work.
The weights are the stock tower's, and a window that is the whole picture gives what the stock forward gives (a test).
"""

from __future__ import annotations

import torch
from torch import nn
from transformers.models.qwen3_vl.modeling_qwen3_vl import rotate_half
from transformers.vision_utils import get_vision_interpolation_indices_and_weights, get_vision_position_ids

from tandem.agent.planner.training.architecture import CELL, CELLS, MERGE, patches

PER_CELL = MERGE * MERGE


class Eyes(nn.Module):
    """Runs a stock vision tower on windows; see the module.

    Args:
        tower: `Qwen3VLVisionModel`, whose weights are used and trained.
        compiled: fuse what lies between matrix products (`torch.compile`, needs a C++ compiler): faster after a minute.
    """

    def __init__(self, tower: nn.Module, *, compiled: bool = False):
        super().__init__()
        self.tower = tower
        grid = torch.tensor([[1, CELLS[0] * MERGE, CELLS[1] * MERGE]])
        taps, weights = get_vision_interpolation_indices_and_weights(
            grid, tower.num_grid_per_side, align_corners=True, spatial_merge_size=MERGE
        )
        where = get_vision_position_ids(grid, MERGE)
        for name, value in (("taps", taps), ("weights", weights), ("where", where)):
            self.register_buffer(f"_{name}", value, persistent=False)
        self._block = torch.compile(_block, dynamic=False) if compiled else _block

    def forward(self, windows: torch.Tensor, corners: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What the tower makes of windows.

        Args:
            windows: uint8 (B, H, W, 3), sides whole multiples of a cell.
            corners: int (B, 2) row and column of each window's first cell.

        Returns:
            (B, cells, width) merged tokens row by row, and (B, cells * PER_CELL, hidden) what each patch has become.
        """
        tower, count = self.tower, len(windows)
        pixels, _ = patches(windows)
        at = self._places(corners, windows.shape[1:3])
        cos, sin = tower.rotary_pos_emb(pixels, self._where)
        places = (tower.pos_embed(self._taps) * self._weights[:, :, None]).sum(1)
        proj = tower.patch_embed.proj
        hidden = nn.functional.linear(pixels, proj.weight.flatten(1), proj.bias).view(count, -1, places.shape[1])
        hidden = hidden + places[at].to(hidden.dtype)
        turns = cos[at][:, :, None].to(hidden.dtype), sin[at][:, :, None].to(hidden.dtype)
        for block in tower.blocks:
            hidden = self._block(block, hidden, *turns)
        return tower.merger(hidden.flatten(0, 1)).view(count, -1, tower.config.out_hidden_size), hidden

    def _places(self, corners: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        """(B, patches) numbers of a window's patches in the whole picture, in the processor's order."""
        rows, columns = (side // CELL for side in size)
        down = corners[:, 0, None] + torch.arange(rows, device=corners.device)
        across = corners[:, 1, None] + torch.arange(columns, device=corners.device)
        cells = (down[:, :, None] * CELLS[1] + across[:, None, :]).flatten(1)
        return (cells[:, :, None] * PER_CELL + torch.arange(PER_CELL, device=corners.device)).flatten(1)


def _block(block: nn.Module, hidden: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    attention, (count, length, width) = block.attn, hidden.shape
    split = attention.qkv(block.norm1(hidden)).view(count, length, 3, attention.num_heads, attention.head_dim)
    query, key = (_turned(split[:, :, k], cos, sin).transpose(1, 2) for k in (0, 1))
    weights = (query * attention.scaling) @ key.transpose(-1, -2)
    mixed = weights.softmax(-1) @ split[:, :, 2].transpose(1, 2)
    hidden = hidden + attention.proj(mixed.transpose(1, 2).reshape(count, length, width))
    return hidden + block.mlp(block.norm2(hidden))


def _turned(states: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    return states * cos + rotate_half(states) * sin
