"""Several processes that train one policy, one for each GPU, as accelerate and torchrun start them; usually one."""

from __future__ import annotations

import torch
from accelerate import PartialState


def joined(device: str) -> PartialState:
    """This process among them; from here on it works on its own GPU, or without one.

    Args:
        device: "auto" takes a GPU if there is one, "cpu" none.
    """
    return PartialState(cpu=device == "cpu" or not torch.cuda.is_available())
