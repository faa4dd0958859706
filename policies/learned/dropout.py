"""Leaves out activations while a network learns (Srivastava et al. 2014), by coins that cost next to nothing.

PyTorch throws a coin for each number, one after another on one thread, which in a small transformer takes a tenth of a
training step. Here 64 random bits are four coins, and what the rectifier has already made zero is remembered once.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor
from torch.autograd import Function
from torch.nn import functional

_SIDES = 1 << 16  # a coin is 16 bits


class Dropout:
    """Leaves out a share of what it is given, and makes the rest larger by as much.

    Args:
        share: 0..1, what is left out.
        generator: of the coins, on the CPU; elsewhere PyTorch throws them, seeded by it.
        device: of what will be given.
    """

    def __init__(self, share: float, generator: Generator | None = None, device: str = "cpu"):
        self.share, self._generator = share, generator
        if share and device != "cpu":
            torch.manual_seed(int(torch.randint(1 << 62, (), generator=generator)))

    def __call__(self, x: Tensor) -> Tensor:
        """Of any shape, as is the result."""
        if not self.share:
            return x
        if x.device.type != "cpu":
            return functional.dropout(x, self.share)
        return _Dropped.apply(x, self._kept(x), 1 / (1 - self.share))

    def rectified(self, x: Tensor) -> Tensor:
        """The same of what is positive in x, zeros for the rest; x may be overwritten."""
        if x.device.type != "cpu" or not self.share:
            return self(functional.relu(x))
        return _Rectified.apply(x, self._kept(x), 1 / (1 - self.share))

    def _kept(self, x: Tensor) -> Tensor:
        """Bool, as x."""
        coins = torch.empty(-(-x.numel() // 4), dtype=torch.int64)
        coins.random_(torch.iinfo(torch.int64).min, None, generator=self._generator)
        return (coins.view(torch.int16)[: x.numel()] >= round(self.share * _SIDES) - _SIDES // 2).view(x.shape)


KEEP = Dropout(0.0)
"""Leaves out nothing."""


class _Dropped(Function):
    @staticmethod
    def forward(ctx, x: Tensor, kept: Tensor, scale: float) -> Tensor:
        ctx.scale = scale
        ctx.save_for_backward(kept)
        return (x * kept).mul_(scale)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None]:
        (kept,) = ctx.saved_tensors
        return (gradient * kept).mul_(ctx.scale), None, None


class _Rectified(Function):
    @staticmethod
    def forward(ctx, x: Tensor, kept: Tensor, scale: float) -> Tensor:
        ctx.scale = scale
        found = functional.relu(x).mul_(kept).mul_(scale)
        ctx.save_for_backward(found)
        return found

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None]:
        (found,) = ctx.saved_tensors
        return torch.ops.aten.threshold_backward(gradient, found, 0).mul_(ctx.scale), None, None
