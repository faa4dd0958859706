"""Language loss on answers: cross-entropy on what the model writes, with a soft target where it writes coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional as F
from transformers import Qwen3VLForConditionalGeneration

from tandem.agent.planner.training.architecture import patches
from tandem.agent.planner.training.chat import IGNORE, Tokens

STRIDE = 32
COPIED = 0.1  # weight of a coordinate that is copied from the scene: a grammar writes it in deployment
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
    """Pad to the longest, and on to a multiple of `STRIDE`: of few shapes a CPU library keeps few kernels."""
    length = -(-max(len(sample.ids) for sample in samples) // STRIDE) * STRIDE
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
    return loss, _figures(logits, truth, rows, len(batch.ids), numbers)


def _loss(logits: torch.Tensor, truth: torch.Tensor, soft: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
    order = torch.full((logits.shape[-1],), -1, dtype=torch.long, device=logits.device)
    order[numbers] = torch.arange(len(numbers), device=logits.device)
    is_number = order[truth] >= 0
    perceived = soft & is_number
    weights = torch.where(is_number & ~soft, COPIED, 1.0)
    loss = (F.cross_entropy(logits, truth, reduction="none") * weights)[~perceived].sum()
    if perceived.any():
        steps = torch.arange(len(numbers), dtype=torch.float32, device=logits.device) - order[truth[perceived]][:, None]
        bump = torch.softmax(-(steps**2) / (2 * SPREAD**2), -1)
        loss = loss - (bump * F.log_softmax(logits[perceived], -1)[:, numbers]).sum()
    return loss / weights.sum()


@torch.no_grad()
def _figures(
    logits: torch.Tensor, truth: torch.Tensor, rows: torch.Tensor, count: int, numbers: torch.Tensor
) -> dict[str, float]:
    """Share of tokens, of whole answers, and of answers but for their numbers, that are written exactly so."""
    right = logits.argmax(-1) == truth
    named = right | torch.isin(truth, numbers)
    wrong = torch.zeros(2, count, device=logits.device)
    wrong[0].index_add_(0, rows, (~right).float())
    wrong[1].index_add_(0, rows, (~named).float())
    exact, words = (wrong == 0).float().mean(1).tolist()
    return {"token": float(right.float().mean()), "exact": exact, "words": words}
