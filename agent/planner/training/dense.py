"""Dense supervision of the vision tower: every visual token says what lies in it, before language is trained at all.

Language loss alone sits on a long plateau until the text tower learns to look. A throw-away linear head on each merged
token makes names, whereabouts and coordinates linearly readable there first. A token has one slot for each of its
patches; things that share a patch move on to the nearest free slot. Coordinates are read out against the embeddings of
the number words themselves, so that the text tower finds them in the form in which it writes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from tandem.agent.planner.training.architecture import HEIGHT, MERGE, PATCH, WIDTH
from tandem.agent.planner.training.words import COLOURS, KINDS, PLACES, split_name, split_where

ROWS, COLUMNS = HEIGHT // PATCH, WIDTH // PATCH  # of slots
SLOTS = MERGE * MERGE
BINS = 200  # numbers 0, 5, 10, ... 995
BIN_SPREAD = 0.8  # of the soft target around the right number, in bins
PARTS = {"there": 1, "colour": len(COLOURS), "kind": len(KINDS), "place": len(PLACES),
         "support_colour": len(COLOURS), "support_kind": len(KINDS)}
IGNORE = -100
THERE_WEIGHT, THERE_SCALE = 4.0, 40.0  # few of the slots hold a thing


@dataclass(frozen=True, eq=False)
class DenseTargets:
    """What each slot of a batch holds; slots are numbered as the processor lays patches out.

    Attributes:
        there: float (B, S) 1 where a thing is.
        picture, slot: int (P,) of every thing, in order.
        words: int (P, 5) colour, kind, place, colour and kind of the support; -100 where unknown.
        points: float (P, 2) shares of the picture.
    """

    there: torch.Tensor
    picture: torch.Tensor
    slot: torch.Tensor
    words: torch.Tensor
    points: torch.Tensor

    def to(self, device: str) -> DenseTargets:
        """The same on a device."""
        return DenseTargets(*(getattr(self, name).to(device) for name in vars(self)))


def targets(
    things: Sequence[Sequence[Mapping[str, Any]]], rows_columns: tuple[int, int] = (ROWS, COLUMNS)
) -> DenseTargets:
    """Targets of a batch.

    Args:
        things: of each picture, mappings with `name`, `u`, `v` (shares) and `where`.
        rows_columns: how many slots a picture has, down and across.
    """
    there = np.zeros((len(things), rows_columns[0] * rows_columns[1]), np.float32)
    rows: list[tuple[int, int, tuple[int, ...], tuple[float, float]]] = []
    for picture, shown in enumerate(things):
        for thing in sorted(shown, key=lambda thing: -thing["v"]):  # what is nearest to the camera chooses first
            name, where = split_name(thing["name"]), split_where(thing["where"])
            slot = _free_slot(thing["u"], thing["v"], there[picture], *rows_columns)
            if name is None or slot is None:
                continue
            there[picture, slot] = 1.0
            place, colour, kind = where or (IGNORE, IGNORE, IGNORE)
            words = (*name, place, colour, kind if kind >= 0 else IGNORE)
            rows.append((picture, slot, words, (thing["u"], thing["v"])))
    pictures, slots, words, points = zip(*rows, strict=True) if rows else ((), (), (), ())
    return DenseTargets(
        torch.from_numpy(there), torch.tensor(pictures, dtype=torch.long), torch.tensor(slots, dtype=torch.long),
        torch.tensor(words, dtype=torch.long).view(-1, 5), torch.tensor(points, dtype=torch.float32).view(-1, 2),
    )


def _free_slot(u: float, v: float, taken: np.ndarray, rows: int, columns: int) -> int | None:
    """The slot that a point lies in, or the nearest free one beside it; None outside of the picture."""
    if not (0 <= u < 1 and 0 <= v < 1):
        return None
    x, y = u * columns, v * rows
    around = [(row, column) for row in range(int(y) - 1, int(y) + 2) for column in range(int(x) - 1, int(x) + 2)
              if 0 <= row < rows and 0 <= column < columns]
    around.sort(key=lambda at: (at != (int(y), int(x)), (at[0] + 0.5 - y) ** 2 + (at[1] + 0.5 - x) ** 2))
    return next((index for at in around if not taken[index := slot_index(*at, columns)]), None)


def slot_index(row: int, column: int, columns: int = COLUMNS) -> int:
    """Number of a patch in the processor's order: cell by cell, within a cell row by row."""
    cell = (row // MERGE) * (columns // MERGE) + column // MERGE
    return cell * SLOTS + (row % MERGE) * MERGE + column % MERGE


class DenseHead(nn.Module):
    """Reads the slots of merged tokens. Thrown away after training.

    Args:
        width: of a merged token.
        numbers: width of the embedding of number words.
    """

    def __init__(self, width: int, numbers: int):
        super().__init__()
        self.parts = nn.Linear(width, SLOTS * sum(PARTS.values()))
        self.points = nn.Linear(width, SLOTS * 2 * numbers)
        self.sharpness = nn.Parameter(torch.tensor(3.0))

    def forward(self, tokens: torch.Tensor) -> dict[str, torch.Tensor]:
        """tokens (B, T, width) to slots: each of `PARTS` as (B, S, its size)."""
        slots = self.parts(tokens).float().view(len(tokens), -1, sum(PARTS.values()))
        return dict(zip(PARTS, slots.split(list(PARTS.values()), -1), strict=True))

    def numbers(self, tokens: torch.Tensor, where: DenseTargets, table: torch.Tensor) -> torch.Tensor:
        """Logits (P, 2, BINS) of x and y of every thing, against the embeddings (BINS, numbers) of the number words."""
        held = tokens[where.picture, where.slot // SLOTS]
        all_slots = self.points(held).float().view(len(held), SLOTS, 2, -1)
        asked = all_slots[torch.arange(len(held), device=held.device), where.slot % SLOTS]
        return F.normalize(asked, dim=-1) @ F.normalize(table.float(), dim=-1).T * self.sharpness.exp()


def dense_loss(
    head: DenseHead, tokens: torch.Tensor, wanted: DenseTargets, table: torch.Tensor, *, whole: bool = True
) -> tuple[torch.Tensor, dict[str, float]]:
    """The sum of losses, and figures for the log. Of a cut-out that is not `whole`, coordinates are not asked."""
    slots = head(tokens)
    there = F.binary_cross_entropy_with_logits(
        slots["there"][..., 0], wanted.there, pos_weight=torch.tensor(THERE_WEIGHT, device=tokens.device)
    ) * THERE_SCALE * wanted.there.shape[1] / (ROWS * COLUMNS)
    at = wanted.picture, wanted.slot
    losses = {"there": there}
    for column, part in enumerate(("colour", "kind", "place", "support_colour", "support_kind")):
        truth = wanted.words[:, column]
        if (truth != IGNORE).any():
            losses[part] = F.cross_entropy(slots[part][at], truth, ignore_index=IGNORE)
    told = _named(slots, wanted)
    if whole:
        logits = head.numbers(tokens, wanted, table)
        losses["numbers"] = 0.5 * soft_cross_entropy(logits.flatten(0, 1), (wanted.points * BINS).flatten())
        told |= _placed(slots, logits, wanted)
    return sum(losses.values()), {name: float(loss.detach()) for name, loss in losses.items()} | told


def soft_cross_entropy(logits: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
    """Cross-entropy (K, BINS) with a bump of width `BIN_SPREAD` around positions (K,) given in bins."""
    bins = torch.arange(logits.shape[-1], dtype=torch.float32, device=logits.device)
    bump = torch.softmax(-((bins - position[:, None]) ** 2) / (2 * BIN_SPREAD**2), -1)
    return -(bump * F.log_softmax(logits, -1)).sum(-1).mean()


@torch.no_grad()
def _named(slots: dict[str, torch.Tensor], wanted: DenseTargets) -> dict[str, float]:
    """How many things are found, how much of what is found is there, and how many have their right name."""
    found, truth = slots["there"][..., 0] > 0, wanted.there > 0
    at = wanted.picture, wanted.slot
    colour, kind = (slots[part][at].argmax(-1) == wanted.words[:, i] for i, part in enumerate(("colour", "kind")))
    return {
        "recall": float((found & truth).sum() / truth.sum().clamp(min=1)),
        "precision": float((found & truth).sum() / found.sum().clamp(min=1)),
        "named": float((colour & kind).float().mean()),
    }


@torch.no_grad()
def _placed(slots: dict[str, torch.Tensor], logits: torch.Tensor, wanted: DenseTargets) -> dict[str, float]:
    """How many whereabouts are right, and how far off coordinates are: median and 90th percentile, pixels."""
    place = (slots["place"][wanted.picture, wanted.slot].argmax(-1) == wanted.words[:, 2])[wanted.words[:, 2] != IGNORE]
    off = (logits.argmax(-1) / BINS - wanted.points).abs() * torch.tensor([WIDTH, HEIGHT], device=logits.device)
    return {
        "placed": float(place.float().mean()), "off_px": float(off.max(-1).values.median()),
        "off_px_90": float(off.max(-1).values.quantile(0.9)),
    }
