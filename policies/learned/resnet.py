"""ResNet-18 without its head: from a picture to features on a grid 32 times coarser, its batch norms frozen.

He et al. 2015 (arXiv 1512.03385). A frozen batch norm is a scale and an offset: the scale goes into the weights of the
convolution before it, the offset is its bias, and no norm is computed on activations.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn import functional

from tandem.bridge.contract import ModelUnusable
from tandem.policies.learned.packing import Packed, Packing, packs

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's pictures, red, green, blue in 0..1
COARSER = 32
_EPSILON = 1e-5


class Trunk(nn.Module):
    """See the module.

    Args:
        widths: channels of the four stages; the last is that of the features.
    """

    def __init__(self, widths: tuple[int, int, int, int] = (64, 128, 256, 512)):
        super().__init__()
        self.stem = Convolution(3, widths[0], 7, 2)
        befores = (widths[0], *widths[:-1])
        self.blocks = nn.ModuleList(
            Block(*ends, stride)
            for i, (before, after) in enumerate(zip(befores, widths, strict=True))
            for *ends, stride in ((before, after, 1 if i == 0 else 2), (after, after, 1)))
        mean, deviation = (torch.tensor(values)[:, None, None] for values in (MEAN, DEVIATION))
        self.register_buffer("finer", 1 / deviation, persistent=False)
        self.register_buffer("darker", -mean / deviation, persistent=False)

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, channels, h / 32, w / 32), rounded up, of RGB (B, 3, h, w) in 0..1; channels last are best."""
        x = torch.addcmul(self.darker, pictures, self.finer).contiguous(memory_format=torch.channels_last)
        x = functional.relu_(functional.max_pool2d(self.stem(x, rectify=False), 3, 2, 1))
        for block in self.blocks:
            x = block(x)
        return x

    def load_torchvision(self, weights: Mapping[str, Tensor]) -> None:
        """Take the weights of torchvision's `resnet18`, under its names; its head is left out.

        Raises `ModelUnusable` when they are of another network.
        """
        for ours, (conv, norm) in _names().items():
            try:
                scale = weights[f"{norm}.weight"] / (weights[f"{norm}.running_var"] + _EPSILON).sqrt()
                offset = weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * scale
                taken = {"weight": weights[f"{conv}.weight"], "scale": scale, "offset": offset}
                self.get_submodule(ours).load_state_dict(taken)
            except (KeyError, RuntimeError) as reason:
                raise ModelUnusable(f"these weights are not torchvision's resnet18: {reason}") from reason


class Block(nn.Module):
    """Two convolutions and a shortcut."""

    def __init__(self, before: int, after: int, stride: int):
        super().__init__()
        self.first, self.second = Convolution(before, after, 3, stride), Convolution(after, after)
        self.shortcut = None if (before, stride) == (after, 1) else Convolution(before, after, 1, stride)
        with torch.no_grad():
            self.second.weight *= 0.5  # no norm holds down what eight sums in a row would let grow

    def forward(self, x: Tensor) -> Tensor:
        """See `Convolution`; without gradients x may be overwritten."""
        y = self.first(x)
        return self.second(y, onto=x if self.shortcut is None else self.shortcut(x, rectify=False))


class Convolution(nn.Module):
    """A convolution without bias, the frozen norm behind it, and the rectifier behind that.

    Args:
        before: channels that come in.
        after: channels that go out.
        size: of the kernel, odd.
        stride: in both directions.
    """

    def __init__(self, before: int, after: int, size: int = 3, stride: int = 1):
        super().__init__()
        weight = torch.empty(after, before, size, size)
        nn.init.kaiming_normal_(weight, mode="fan_out", nonlinearity="relu")
        self.weight = nn.Parameter(weight.contiguous(memory_format=torch.channels_last))
        self.register_buffer("scale", torch.ones(after))
        self.register_buffer("offset", torch.zeros(after))
        self.stride, self.padding, self._packing = (stride, stride), (size // 2, size // 2), Packing()

    def forward(self, x: Tensor, *, onto: Tensor | None = None, rectify: bool = True) -> Tensor:
        """(B, after, h / stride, w / stride) of (B, before, h, w), channels last.

        Args:
            x: what comes in.
            onto: what it is added to before it is rectified; without gradients it is overwritten.
            rectify: whether what is negative becomes zero.
        """
        if packs(x):
            packed = self._packing.laid(
                lambda: Packed.of(self._folded(), self.offset, x, self.stride, self.padding),
                self.weight, self.scale, self.offset)
            return packed(x, rectify=rectify) if onto is None else packed.onto(onto, x)
        y = _convolved(x, self._folded(), self.offset, self.stride, self.padding)
        if onto is not None:
            y = y.add_(onto)
        return functional.relu_(y) if rectify else y

    def _folded(self) -> Tensor:
        return self.weight * self.scale[:, None, None, None]


def _convolved(x: Tensor, weight: Tensor, bias: Tensor, stride: tuple[int, int], padding: tuple[int, int]) -> Tensor:
    plain = x.device.type == "cpu" and not torch.is_autocast_enabled("cpu") and not torch.compiler.is_compiling()
    if plain and x.requires_grad:
        return _Convolved.apply(x, weight, bias, stride, padding)
    return functional.conv2d(x, weight, bias, stride, padding)


class _Convolved(Function):
    """A convolution that knows its weights' gradient by a plain product of matrices.

    Where channels are many and come last, that is up to twice as fast as oneDNN's own way; a picture at a time, so that
    its patches stay in the cache. The bias is the frozen norm's and has no gradient.
    """

    @staticmethod
    def forward(
        ctx, x: Tensor, weight: Tensor, bias: Tensor, stride: tuple[int, int], padding: tuple[int, int]
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding = stride, padding
        return functional.conv2d(x, weight, bias, stride, padding)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        x, weight = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        of_x, *_ = torch.ops.aten.convolution_backward(
            gradient, x, weight, None, ctx.stride, ctx.padding, (1, 1), False, (0, 0), 1, (True, False, False))
        return of_x, _weight_gradient(x, gradient, weight.shape, ctx.stride[0], ctx.padding[0]), None, None, None


def _weight_gradient(x: Tensor, gradient: Tensor, shape: torch.Size, stride: int, pad: int) -> Tensor:
    """(after, before, k, k) of what came in and of the gradient of what went out, channels last both."""
    after, before, size, _ = shape
    padded = functional.pad(x.permute(0, 2, 3, 1), (0, 0, pad, pad, pad, pad)).contiguous()
    down, right = stride * padded.stride(1), stride * padded.stride(2)
    out = gradient.permute(0, 2, 3, 1)
    rows, columns = out.shape[1:3]
    found = gradient.new_zeros(after, size * size * before)
    for picture, wrong in zip(padded, out, strict=True):
        patches = picture.as_strided(
            (rows, columns, size, size * before), (down, right, padded.stride(1), 1), picture.storage_offset())
        found.addmm_(wrong.reshape(-1, after).t(), patches.reshape(rows * columns, -1))
    return found.view(after, size, size, before).permute(0, 3, 1, 2)


def _names() -> dict[str, tuple[str, str]]:
    """Of each convolution torchvision's names of it and of its norm."""
    names = {"stem": ("conv1", "bn1")}
    for i in range(8):
        theirs = f"layer{i // 2 + 1}.{i % 2}"
        names |= {f"blocks.{i}.first": (f"{theirs}.conv1", f"{theirs}.bn1"),
                  f"blocks.{i}.second": (f"{theirs}.conv2", f"{theirs}.bn2")}
        if i in (2, 4, 6):
            names[f"blocks.{i}.shortcut"] = f"{theirs}.downsample.0", f"{theirs}.downsample.1"
    return names
