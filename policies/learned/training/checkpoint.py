"""All that a training needs to go on, in one file of safetensors: weights, and what the optimiser remembers of each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from tandem.bridge.contract import ModelUnusable

FILE = "checkpoint.safetensors"
_REMEMBERED = ("step", "exp_avg", "exp_avg_sq")  # AdamW's


def write(
    folder: Path, step: int, weights: Mapping[str, Tensor], learned: Mapping[str, nn.Parameter],
    optimiser: torch.optim.Optimizer,
) -> None:
    """Write it; what was there stays until that is whole.

    Args:
        folder: where it goes.
        step: how many are done.
        weights: all that must be there to go on.
        learned: those that the optimiser changes, by any names.
        optimiser: AdamW.
    """
    tensors = {f"weight.{name}": weight.detach() for name, weight in weights.items()}
    for name, weight in learned.items():
        tensors |= {f"{what}.{name}": value for what, value in optimiser.state.get(weight, {}).items()}
    draft = folder / f"{FILE}.part"
    whole = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    save_file(whole, draft, metadata={"format": "pt", "step": str(step)})
    draft.replace(folder / FILE)


def read(
    folder: Path, weights: Mapping[str, Tensor], learned: Mapping[str, nn.Parameter], optimiser: torch.optim.Optimizer
) -> int:
    """Put everything back in place; arguments as of `write`. The step; 0 when there is no checkpoint.

    Raises `ModelUnusable` when it is damaged, or of other weights.
    """
    path = folder / FILE
    if not path.exists():
        return 0
    try:
        with safe_open(path, "pt") as stream, torch.no_grad():
            there = set(stream.keys())
            if wrong := {f"weight.{name}" for name in weights} ^ {name for name in there if name.startswith("weight.")}:
                raise ValueError(f"it holds other weights, such as {min(wrong)}")
            for name, weight in weights.items():
                saved = stream.get_tensor(f"weight.{name}")
                if saved.shape != weight.shape:
                    raise ValueError(f"{name} is of shape {tuple(saved.shape)}, not {tuple(weight.shape)}")
                weight.copy_(saved)
            for name, weight in learned.items():
                if remembered := [what for what in _REMEMBERED if f"{what}.{name}" in there]:
                    optimiser.state[weight] = {what: _at(stream.get_tensor(f"{what}.{name}"), weight, what)
                                               for what in remembered}
            return int(stream.metadata()["step"])
    except (SafetensorError, OSError, KeyError, ValueError, TypeError, RuntimeError) as reason:
        raise ModelUnusable(f"{path} does not fit this training: {reason}; choose another folder") from reason


def _at(value: Tensor, weight: nn.Parameter, what: str) -> Tensor:
    """Where AdamW keeps it: beside the weight, but for the count of steps."""
    return value if what == "step" else value.to(weight.device)
