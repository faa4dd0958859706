"""Dense supervision of the vision tower: it is taught to write the code of `codes`, before any word is spoken.

Language loss alone sits on a long plateau until the text tower learns to look. Here every visual token is told what
lies in its cell, and every patch, through a head that is thrown away, what it shows and where the point of that is.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from tandem.agent.planner.training.codes import AXIS, BINS, IGNORE, PART, SPANS, UNIT, WORDS, off_pixels
from tandem.agent.planner.training.windows import Windows
from tandem.agent.planner.training.words import COLOURS, KINDS

SHARPNESS, AXIS_SHARPNESS, THERE_SHARPNESS = 6.0, 40.0, 5.0  # logits at a perfect code
BIN_SPREAD = 0.8  # of the soft target around the right number, in bins
THERE_WEIGHT = 6.0  # few of the slots hold a thing
WEIGHTS = {"there": 8.0, "colour": 1.0, "kind": 2.0, "place": 0.7, "support_colour": 0.5, "support_kind": 0.5,
           "numbers": 0.3, "code": 0.1, "patch": 2.0, "offset": 0.5}
FAR_PX = 64.0  # scale of offsets


class PatchHead(nn.Module):
    """Reads what a patch shows. Thrown away after training.

    Args:
        width: of a patch's state.
    """

    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.read = nn.Linear(width, len(COLOURS) + len(KINDS) + 1 + 2)

    def forward(self, hidden: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Logits of colour and of kind (the last is nothing), and (x, y) to the thing's point in units of `FAR_PX`."""
        return self.read(self.norm(hidden)).float().split([len(COLOURS), len(KINDS) + 1, 2], -1)


def dense_loss(
    head: PatchHead, tokens: torch.Tensor, hidden: torch.Tensor, wanted: Windows
) -> tuple[torch.Tensor, dict[str, float]]:
    """The weighted sum of losses, and figures for the log.

    Args:
        head: reads patches.
        tokens: (B, cells, width) merged tokens.
        hidden: (B, patches, hidden) what each patch has become.
        wanted: what is there.
    """
    slots = tokens.float().view(len(tokens), -1, PART)
    there, losses = _there(slots, wanted)
    losses |= _patches(head, hidden, wanted)
    said = slots[wanted.batch, wanted.slot]
    right = {}
    for column, name in enumerate(WORDS):
        truth, logits = wanted.words[:, column], said[:, SPANS[name]] * (SHARPNESS / UNIT)
        known = truth != IGNORE
        if known.any():
            losses[name] = F.cross_entropy(logits[known], truth[known])
            right[name] = (logits.argmax(-1) == truth)[known].float()
    numbers = axis_logits(said)
    losses["numbers"] = soft_cross_entropy(numbers.flatten(0, 1), wanted.bins.flatten())
    losses["code"] = _code_error(slots, said, wanted)
    loss = sum(WEIGHTS[name] * value for name, value in losses.items())
    told = {name: float(value.detach()) for name, value in losses.items()}
    return loss, told | _figures(there, right, numbers, wanted)


def axis_logits(said: torch.Tensor) -> torch.Tensor:
    """(N, 2, BINS) of x and y, from the codes (N, PART) of things."""
    axis = AXIS.to(said.device)
    size = axis.square().sum(-1).mean()
    return torch.stack([said[:, SPANS[name]] @ axis.T for name in ("x", "y")], 1) * (AXIS_SHARPNESS / size)


def soft_cross_entropy(logits: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
    """Cross-entropy (K, BINS) with a bump of width `BIN_SPREAD` around positions (K,) given in bins."""
    bins = torch.arange(logits.shape[-1], dtype=torch.float32, device=logits.device)
    bump = torch.softmax(-((bins - position[:, None]) ** 2) / (2 * BIN_SPREAD**2), -1)
    return -(bump * F.log_softmax(logits, -1)).sum(-1).mean()


def _there(slots: torch.Tensor, wanted: Windows) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Logits (B, slots) of there being something, and their loss."""
    absent, present = slots[..., SPANS["there"]].unbind(-1)
    logits, truth = (present - absent) * (THERE_SHARPNESS / UNIT), torch.zeros_like(present)
    truth[wanted.batch, wanted.slot] = 1.0
    weight = torch.where(truth > 0, THERE_WEIGHT, 1.0) * wanted.asked
    errors = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    return logits, {"there": (errors * weight).sum() / weight.sum()}


def _code_error(slots: torch.Tensor, said: torch.Tensor, wanted: Windows) -> torch.Tensor:
    """How far the codes are from what a perfect eye would write, in units of a word; empty slots count as much."""
    empty = torch.zeros(PART, device=slots.device)
    empty[SPANS["there"].start] = UNIT
    truth = torch.zeros_like(said)
    truth[:, SPANS["there"].stop - 1] = UNIT
    for column, name in enumerate(WORDS):
        known = wanted.words[:, column] >= 0
        truth[known, SPANS[name].start + wanted.words[known, column]] = UNIT
    places = wanted.bins.round().clamp(0, BINS - 1).long()
    for column, name in enumerate(("x", "y")):
        truth[:, SPANS[name]] = AXIS.to(slots.device)[places[:, column]]
    free = wanted.asked.clone()
    free[wanted.batch, wanted.slot] = False
    filled = (said - truth).square().sum(-1).mean()
    return (filled + (slots - empty)[free].square().sum(-1).mean()) / UNIT**2


def _patches(head: PatchHead, hidden: torch.Tensor, wanted: Windows) -> dict[str, torch.Tensor]:
    colour, kind, offset = head(hidden)
    shown = wanted.patches[..., 1] >= 0
    kinds = torch.where(shown, wanted.patches[..., 1], len(KINDS))
    errors = F.cross_entropy(kind.flatten(0, 1), kinds.flatten(), reduction="none").view(kinds.shape)
    weight = torch.where(shown, 1.0, 0.15)
    named = (errors * weight).sum() / weight.sum() + F.cross_entropy(colour[shown], wanted.patches[..., 0][shown])
    near = F.smooth_l1_loss(offset[shown], wanted.offsets[shown] / FAR_PX, beta=0.1)
    return {"patch": named, "offset": near}


@torch.no_grad()
def _figures(
    there: torch.Tensor, right: dict[str, torch.Tensor], numbers: torch.Tensor, wanted: Windows
) -> dict[str, float]:
    """Things found, of what is found that which is there, names and whereabouts that are right; pixels off."""
    truth = torch.zeros_like(there, dtype=torch.bool)
    truth[wanted.batch, wanted.slot] = True
    found = (there > 0) & wanted.asked
    off = off_pixels(numbers.argmax(-1), wanted.bins)
    both = right["colour"] * right["kind"]
    return {
        "recall": float((found & truth).sum() / truth.sum().clamp(min=1)),
        "precision": float((found & truth).sum() / found.sum().clamp(min=1)),
        "named": float(both.mean()), "placed": float(right["place"].mean()) if "place" in right else 1.0,
        "off_px": float(off.median()), "off_px_90": float(off.quantile(0.9)),
    }
