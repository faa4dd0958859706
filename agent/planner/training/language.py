"""Language loss on answers: cross-entropy on what the model writes, with a soft target where it writes coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional as F
from transformers import Qwen3VLForConditionalGeneration

from tandem.agent.planner.training.architecture import patches
from tandem.agent.planner.training.chat import IGNORE, Tokens

SPREAD = 0.8  # of the soft target around a perceived coordinate, in steps of five thousandths


@dataclass(frozen=True, eq=False)
class Batch:
    """Samples side by side, padded on the right.

    Attributes:
        ids, wanted: int (B, L).
        pictures: uint8 (K, H, W, 3) of all samples in order, None if there are none.
        soft: bool (B,) answers whose coordinates were perceived, not copied.
    """

    ids: torch.Tensor
    wanted: torch.Tensor
    pictures: torch.Tensor | None
    soft: torch.Tensor

    def to(self, device: str) -> Batch:
        """The same on a device."""
        pictures = None if self.pictures is None else self.pictures.to(device)
        return Batch(self.ids.to(device), self.wanted.to(device), pictures, self.soft.to(device))


def collate(samples: Sequence[Tokens], soft: Sequence[bool], pad: int) -> Batch:
    """Pad to the longest."""
    length = max(len(sample.ids) for sample in samples)
    ids = torch.full((len(samples), length), pad, dtype=torch.long)
    wanted = torch.full((len(samples), length), IGNORE, dtype=torch.long)
    for row, sample in enumerate(samples):
        ids[row, : len(sample.ids)] = torch.tensor(sample.ids)
        wanted[row, : len(sample.ids)] = torch.tensor(sample.wanted)
    pictures = [torch.from_numpy(picture) for sample in samples for picture in sample.pictures]
    return Batch(ids, wanted, torch.stack(pictures) if pictures else None, torch.tensor(list(soft)))


def language_loss(
    model: Qwen3VLForConditionalGeneration, batch: Batch, numbers: torch.Tensor, *, dtype: torch.dtype = torch.bfloat16
) -> tuple[torch.Tensor, dict[str, float]]:
    """Mean loss per answered token, and figures.

    Args:
        model: whose weights are trained.
        batch: the samples.
        numbers: ids of the number words on the grid that coordinates are taught on, in order.
        dtype: that products are computed in.
    """
    inputs = {"input_ids": batch.ids, "use_cache": False}
    if batch.pictures is not None:
        pixels, grid = patches(batch.pictures)
        image = (batch.ids == model.config.image_token_id).int()
        inputs |= {"pixel_values": pixels, "image_grid_thw": grid, "mm_token_type_ids": image}
    rows, columns = torch.nonzero(batch.wanted[:, 1:] != IGNORE, as_tuple=True)
    truth = batch.wanted[rows, columns + 1]
    with torch.autocast(batch.ids.device.type, dtype=dtype):
        hidden = model.model(**inputs).last_hidden_state[rows, columns]
        logits = model.lm_head(hidden).float()
    loss = _loss(logits, truth, batch.soft[rows], numbers)
    return loss, _figures(logits, truth, rows, len(batch.ids))


def _loss(logits: torch.Tensor, truth: torch.Tensor, soft: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
    order = torch.full((logits.shape[-1],), -1, dtype=torch.long, device=logits.device)
    order[numbers] = torch.arange(len(numbers), device=logits.device)
    is_number = soft & (order[truth] >= 0)
    hard = F.cross_entropy(logits[~is_number], truth[~is_number], reduction="sum")
    if is_number.any():
        steps = torch.arange(len(numbers), dtype=torch.float32, device=logits.device) - order[truth[is_number]][:, None]
        bump = torch.softmax(-(steps**2) / (2 * SPREAD**2), -1)
        hard = hard - (bump * F.log_softmax(logits[is_number], -1)[:, numbers]).sum()
    return hard / len(truth)


@torch.no_grad()
def _figures(logits: torch.Tensor, truth: torch.Tensor, rows: torch.Tensor, count: int) -> dict[str, float]:
    """Share of tokens and of whole answers that are written exactly so."""
    right = logits.argmax(-1) == truth
    wrong = torch.zeros(count, device=logits.device).index_add(0, rows, (~right).float())
    return {"token": float(right.float().mean()), "exact": float((wrong == 0).float().mean())}
