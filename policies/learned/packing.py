"""Weights laid out once as the processor's kernels read them, for as long as they stay the same.

oneDNN copies the weights of a convolution into a layout of its own each time, which for a single picture takes as long
as some of the convolutions. The operations used here are those that PyTorch's own compiler emits: the rectifier and a
sum are done where the convolution writes. They know no gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


def packs(x: Tensor) -> bool:
    """Whether packed weights are of use here: without gradients, on a processor, in single precision."""
    return (
        not torch.is_grad_enabled() and x.device.type == "cpu" and x.dtype == torch.float32
        and torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled and not torch.compiler.is_compiling()
    )


class Packing:
    """Remembers a layout of some weights, until one of them is changed or replaced."""

    def __init__(self) -> None:
        self._of: tuple | None = None
        self._laid: Packed | None = None

    def laid(self, make: Callable[[], Packed], *of: Tensor) -> Packed:
        """What `make` gives of these weights."""
        now = tuple((weight.data_ptr(), weight._version) for weight in of)
        if self._laid is None or now != self._of:
            self._of, self._laid = now, make()
        return self._laid

    def __reduce__(self) -> tuple:
        return Packing, ()  # a copy lays out its own weights


@dataclass(frozen=True, eq=False)
class Packed:
    """A convolution; the size of pictures for which it was laid out is the best for it, others work as well.

    Attributes:
        weight: in oneDNN's layout.
        bias: (after,).
        stride: in both directions.
        padding: in both directions.
    """

    weight: Tensor
    bias: Tensor
    stride: tuple[int, int]
    padding: tuple[int, int]

    @classmethod
    def of(
        cls, weight: Tensor, bias: Tensor, x: Tensor, stride: tuple[int, int] = (1, 1),
        padding: tuple[int, int] = (0, 0),
    ) -> Packed:
        """Of weights (after, before, k, k), for pictures (B, before, h, w)."""
        laid = torch._C._nn.mkldnn_reorder_conv2d_weight(
            weight.detach().to_mkldnn(), padding, stride, (1, 1), 1, list(x.shape))
        return cls(laid, bias.detach(), stride, padding)

    def __call__(self, x: Tensor, *, rectify: bool) -> Tensor:
        """Of pictures (B, before, h, w), channels last."""
        return torch.ops.mkldnn._convolution_pointwise(
            x, self.weight, self.bias, self.padding, self.stride, (1, 1), 1, "relu" if rectify else "none", [], "")

    def onto(self, total: Tensor, x: Tensor) -> Tensor:
        """The rectified sum; `total` is overwritten."""
        return torch.ops.mkldnn._convolution_pointwise_.binary(
            total, x, self.weight, self.bias, self.padding, self.stride, (1, 1), 1, "add", 1.0, "relu", [], "")


class Linear(nn.Linear):
    """`nn.Linear` that is packed, as a convolution of single pixels, where that is of use."""

    def __init__(self, before: int, after: int):
        super().__init__(before, after)
        self._packing = Packing()

    def forward(self, x: Tensor, *, rectify: bool = False) -> Tensor:
        """(B, N, after) of (B, N, before); what is negative becomes zero if it is to be rectified."""
        if packs(x) and x.dim() == 3:
            tokens = x.contiguous()[:, None].permute(0, 3, 1, 2)
            packed = self._packing.laid(
                lambda: Packed.of(self.weight[:, :, None, None], self.bias, tokens), self.weight, self.bias)
            return packed(tokens, rectify=rectify).permute(0, 2, 3, 1).flatten(1, 2)
        found = super().forward(x)
        return functional.relu(found) if rectify else found
