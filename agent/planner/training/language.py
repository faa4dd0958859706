"""Language loss on answers: cross-entropy on what the model writes, with a soft target where it writes coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from tandem.agent.planner.training.chat import IGNORE, Tokens
from tandem.agent.planner.training.mind import Mind, places_of
from tandem.agent.planner.training.precision import mixed

STRIDE = 64
NOTED = 0.5  # weight of the notes, as a mean, beside the answers
COPIED = 0.1  # weight of a coordinate that is copied from the scene: a grammar writes it in deployment
SPREAD = 0.8  # of the soft target around a perceived coordinate, in steps of five thousandths


@dataclass(frozen=True, eq=False)
class Batch:
    """Samples side by side, padded on the right.

    Attributes:
        ids, wanted, noted: int (B, L).
        places: int (3, B, L); see `mind.places_of`.
        codes: float (K, width) of all cells of all pictures in order, None if there are none.
        soft: bool (B,) answers whose coordinates were perceived, not copied.
    """

    ids: torch.Tensor
    wanted: torch.Tensor
    noted: torch.Tensor
    places: torch.Tensor
    codes: torch.Tensor | None
    soft: torch.Tensor

    def to(self, device: str) -> Batch:
        """The same on a device."""
        codes = None if self.codes is None else self.codes.to(device)
        rows = (part.to(device) for part in (self.ids, self.wanted, self.noted, self.places))
        return Batch(*rows, codes, self.soft.to(device))


def collate(samples: Sequence[Tokens], soft: Sequence[bool], pad: int, image: int) -> Batch:
    """Pad to the longest, and on to a multiple of `STRIDE`: of few shapes a CPU library keeps few kernels."""
    length = -(-max(len(sample.ids) for sample in samples) // STRIDE) * STRIDE
    ids = torch.full((len(samples), length), pad, dtype=torch.long)
    wanted = torch.full((len(samples), length), IGNORE, dtype=torch.long)
    noted = wanted.clone()
    places = torch.zeros((3, len(samples), length), dtype=torch.long)
    for row, sample in enumerate(samples):
        ids[row, : len(sample.ids)] = torch.tensor(sample.ids)
        wanted[row, : len(sample.ids)] = torch.tensor(sample.wanted)
        noted[row, : len(sample.ids)] = torch.tensor(sample.noted)
        given = places_of(np.array(sample.ids), image, [glimpse.cells for glimpse in sample.glimpses])
        places[:, row, : len(sample.ids)] = torch.from_numpy(given)
    codes = [torch.from_numpy(glimpse.codes) for sample in samples for glimpse in sample.glimpses]
    return Batch(ids, wanted, noted, places, torch.cat(codes) if codes else None, torch.tensor(list(soft)))


def language_loss(
    mind: Mind, head: nn.Module, margin: nn.Module, batch: Batch, numbers: torch.Tensor, worth: torch.Tensor, *,
    dtype: torch.dtype = torch.bfloat16,
) -> tuple[torch.Tensor, dict[str, float]]:
    """Mean loss per answered token, with that of the notes, and figures.

    Args:
        mind: the text tower.
        head: from its states to words.
        margin: from its states to the words of notes. Thrown away after training: what is noted, no answer may say.
        batch: the samples.
        numbers: ids of the number words on the grid that coordinates are taught on, in order.
        worth: float (V,) how much each word counts.
        dtype: that products are computed in.
    """
    rows, columns = torch.nonzero(batch.wanted[:, 1:] != IGNORE, as_tuple=True)
    truth = batch.wanted[rows, columns + 1]
    noting = torch.nonzero(batch.noted != IGNORE, as_tuple=True)
    with mixed(batch.ids.device.type, dtype):
        states = mind(batch.ids, batch.places, batch.codes)
        logits, noted = head(states[rows, columns]).float(), margin(states[noting]).float()
    loss, figures = _loss(logits, truth, batch.soft[rows], numbers, worth), {}
    if len(noted):
        notes = batch.noted[noting]
        loss = loss + NOTED * F.cross_entropy(noted, notes)
        figures["noted"] = float((noted.detach().argmax(-1) == notes).float().mean())
    return loss, _figures(logits, truth, rows, len(batch.ids), numbers) | figures


def _loss(
    logits: torch.Tensor, truth: torch.Tensor, soft: torch.Tensor, numbers: torch.Tensor, worth: torch.Tensor
) -> torch.Tensor:
    order = torch.full((logits.shape[-1],), -1, dtype=torch.long, device=logits.device)
    order[numbers] = torch.arange(len(numbers), device=logits.device)
    is_number = order[truth] >= 0
    perceived = soft & is_number
    weights = torch.where(is_number & ~soft, COPIED, worth[truth])
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
