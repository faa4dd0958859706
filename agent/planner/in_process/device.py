"""Which device a model runs on, in which number format, and how much memory there is."""

from __future__ import annotations

import psutil
import torch

from tandem.agent.planner.in_process.options import Options
from tandem.bridge.contract import InvalidOption, MissingDependency


def device_of(options: Options) -> torch.device:
    """The device that is meant. Raises `InvalidOption` for one that this computer does not have."""
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if options.device == "auto":
        return torch.device(next(name for name, there in available.items() if there))
    if not available[options.device]:
        there = ", ".join(name for name, is_there in available.items() if is_there)
        raise InvalidOption(f"device {options.device!r} is not available here; there are: {there}")
    return torch.device(options.device)


def dtype_of(options: Options, device: torch.device) -> torch.dtype:
    """The number format of the weights.

    float32 on a CPU even where it has bfloat16 instructions: small models are no faster with them, and the same
    weights give the same plan on every computer.
    """
    if options.dtype == "auto":
        return torch.float32 if device.type == "cpu" else torch.bfloat16
    return getattr(torch, options.dtype)


def check_bits(options: Options, device: torch.device) -> None:
    """Raise `InvalidOption` or `MissingDependency` when quantised weights are asked for and cannot be had."""
    if options.bits == 16:
        return
    if device.type != "cuda":
        raise InvalidOption(f"{options.bits}-bit weights need CUDA, the device is {device.type}; use bits=16")
    from transformers.utils import is_bitsandbytes_available

    if not is_bitsandbytes_available():
        raise MissingDependency(f"bitsandbytes, for {options.bits}-bit weights,", "pip install bitsandbytes")


def free_bytes(device: torch.device) -> int:
    """Memory that could be taken now on the device."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory()
    return psutil.virtual_memory().available
