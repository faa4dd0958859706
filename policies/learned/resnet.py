"""ResNet-18 without its head: from a picture to features on a grid 32 times coarser, its batch norms frozen.

He et al. 2015 (arXiv 1512.03385). A frozen batch norm is a scale and an offset: the scale goes into the weights of the
convolution before it, the offset is its bias, and no norm is computed on activations. Without gradients on a
processor the weights are moreover laid out once as its convolutions read them, and the rectifier and the sum with the
shortcut are done where the convolution writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from tandem.bridge.contract import ModelUnusable

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's pictures, red, green, blue in 0..1
COARSER = 32
_EPSILON = 1e-5


class Convolution(nn.Module):
    """A convolution without bias, and the frozen norm behind it.

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
        self.stride, self.padding = (stride, stride), (size // 2, size // 2)

    def folded(self) -> Tensor:
        """The weights with the norm's scale in them."""
        return self.weight * self.scale[:, None, None, None]

    def forward(self, x: Tensor) -> Tensor:
        """(B, after, h / stride, w / stride) of (B, before, h, w)."""
        return functional.conv2d(x, self.folded(), self.offset, self.stride, self.padding)


class Block(nn.Module):
    """Two convolutions and a shortcut."""

    def __init__(self, before: int, after: int, stride: int):
        super().__init__()
        self.first, self.second = Convolution(before, after, 3, stride), Convolution(after, after)
        self.shortcut = None if (before, stride) == (after, 1) else Convolution(before, after, 1, stride)
        with torch.no_grad():
            self.second.weight *= 0.5  # no norm holds down what eight sums in a row would let grow

    def forward(self, x: Tensor) -> Tensor:
        """See `Convolution`."""
        y = self.second(functional.relu_(self.first(x)))
        return functional.relu_(y.add_(x if self.shortcut is None else self.shortcut(x)))


class Trunk(nn.Module):
    """See the module.

    Args:
        widths: channels of the four stages; the last is that of the features.
    """

    def __init__(self, widths: tuple[int, int, int, int] = (64, 128, 256, 512)):
        super().__init__()
        self.channels = widths[-1]
        self.stem = Convolution(3, widths[0], 7, 2)
        befores = (widths[0], *widths[:-1])
        self.blocks = nn.ModuleList(
            Block(*ends, stride)
            for i, (before, after) in enumerate(zip(befores, widths, strict=True))
            for *ends, stride in ((before, after, 1 if i == 0 else 2), (after, after, 1)))
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None], persistent=False)
        self.register_buffer("deviation", torch.tensor(DEVIATION)[:, None, None], persistent=False)
        self._packed: tuple[tuple, _Packed] | None = None

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, channels, h / 32, w / 32), rounded up, of RGB (B, 3, h, w) in 0..1."""
        x = ((pictures - self.mean) / self.deviation).contiguous(memory_format=torch.channels_last)
        if _packs(x):
            return self._laid_out(x.shape).run(x)
        x = functional.relu_(functional.max_pool2d(self.stem(x), 3, 2, 1))
        for block in self.blocks:
            x = block(x)
        return x

    def _laid_out(self, shape: torch.Size) -> _Packed:
        """The packed weights, packed again whenever one was changed or replaced."""
        now = tuple((value.data_ptr(), value._version) for value in (*self.parameters(), *self.buffers()))
        if self._packed is None or self._packed[0] != now:
            self._packed = now, _Packed.of(self, shape)
        return self._packed[1]

    def __getstate__(self) -> dict:
        return {**super().__getstate__(), "_packed": None}  # oneDNN's layouts cannot be copied

    def load_torchvision(self, weights: Mapping[str, Tensor]) -> None:
        """Take the weights of torchvision's `resnet18`, under its names; its head is left out.

        Raises `ModelUnusable` when they are of another network.
        """
        for ours, (conv, norm) in _names().items():
            part = self.get_submodule(ours)
            try:
                scale = weights[f"{norm}.weight"] / (weights[f"{norm}.running_var"] + _EPSILON).sqrt()
                offset = weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * scale
                part.load_state_dict({"weight": weights[f"{conv}.weight"], "scale": scale, "offset": offset})
            except (KeyError, RuntimeError) as reason:
                raise ModelUnusable(f"these weights are not torchvision's resnet18: {reason}") from reason


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


def _packs(x: Tensor) -> bool:
    return (
        not torch.is_grad_enabled() and x.device.type == "cpu" and x.dtype == torch.float32
        and torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled and not torch.compiler.is_compiling()
    )


@dataclass(frozen=True, eq=False)
class _Laid:
    """One convolution; `pointwise` are the operations that PyTorch's own compiler emits."""

    weight: Tensor
    offset: Tensor
    stride: tuple[int, int]
    padding: tuple[int, int]

    def __call__(self, x: Tensor, then: str = "relu") -> Tensor:
        return torch.ops.mkldnn._convolution_pointwise(
            x, self.weight, self.offset, self.padding, self.stride, (1, 1), 1, then, [], "")

    def onto(self, total: Tensor, x: Tensor) -> Tensor:
        """Rectified sum; `total` is overwritten."""
        return torch.ops.mkldnn._convolution_pointwise_.binary(
            total, x, self.weight, self.offset, self.padding, self.stride, (1, 1), 1, "add", 1.0, "relu", [], "")


@dataclass(frozen=True, eq=False)
class _Packed:
    """A trunk whose weights are laid out for one size of pictures; others work as well."""

    stem: _Laid
    blocks: tuple[tuple[_Laid, _Laid, _Laid | None], ...]

    @classmethod
    def of(cls, trunk: Trunk, shape: torch.Size) -> _Packed:
        def laid(part: Convolution, size: tuple[int, int, int]) -> _Laid:
            weight = part.folded().detach().to_mkldnn()
            packed = torch._C._nn.mkldnn_reorder_conv2d_weight(
                weight, part.padding, part.stride, (1, 1), 1, [size[0], part.weight.shape[1], *size[1:]])
            return _Laid(packed, part.offset.detach().clone(), part.stride, part.padding)

        count, _, height, width = shape
        stem, blocks = laid(trunk.stem, (count, height, width)), []
        height, width = -(-height // 4), -(-width // 4)
        for block in trunk.blocks:
            before = count, height, width
            height, width = -(-height // block.first.stride[0]), -(-width // block.first.stride[1])
            blocks.append((laid(block.first, before), laid(block.second, (count, height, width)),
                           None if block.shortcut is None else laid(block.shortcut, before)))
        return cls(stem, tuple(blocks))

    def run(self, x: Tensor) -> Tensor:
        x = functional.max_pool2d(self.stem(x), 3, 2, 1)
        for first, second, shortcut in self.blocks:
            y = first(x)
            x = second.onto(x if shortcut is None else shortcut(x, "none"), y)
        return x
