"""Makes pictures the size that the model sees, exactly as its processor does it when it is deployed."""

from __future__ import annotations

import numpy as np
import torch
from torchvision.transforms.v2 import functional as transforms


def resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """uint8 (H, W, 3) to uint8 of width and height `size`: bicubic with antialiasing, as in Qwen's processors."""
    tensor = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)
    small = transforms.resize(
        tensor, [size[1], size[0]], interpolation=transforms.InterpolationMode.BICUBIC, antialias=True
    )
    return small.permute(1, 2, 0).contiguous().numpy()
