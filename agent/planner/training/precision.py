"""In which numbers training computes: bfloat16 where the processor has it, float32 where it would only be imitated."""

from __future__ import annotations

import torch


def mixed(device: str, dtype: torch.dtype = torch.bfloat16) -> torch.autocast:
    """Matrix products in a shorter format.

    But not in bfloat16 on a CPU without it: imitated, it takes seven times as long as float32.

    Args:
        device: its type, such as "cpu".
        dtype: the format.
    """
    imitated = device == "cpu" and dtype is torch.bfloat16 and not torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return torch.autocast(device, dtype=dtype, enabled=not imitated)
