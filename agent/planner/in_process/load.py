"""From files to a model that is ready: weights on the device, the processor beside it, every mistake with a name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import (
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoProcessor,
    AutoTokenizer,
    BitsAndBytesConfig,
    PreTrainedModel,
)

from tandem.agent.planner.in_process import checkpoint as checkpoints
from tandem.agent.planner.in_process.checkpoint import Checkpoint
from tandem.agent.planner.in_process.device import check_bits, device_of, dtype_of
from tandem.agent.planner.in_process.memory import Need, admit
from tandem.agent.planner.in_process.options import Options
from tandem.bridge.checkpoints import digests, weight_files
from tandem.bridge.contract import ModelUnusable


@dataclass(frozen=True, eq=False)
class Loaded:
    """A model in memory.

    Attributes:
        checkpoint: where it came from.
        model: in evaluation mode, on its device.
        processor: pictures and text to tensors; of a text-only family its tokenizer.
        tokenizer: of the processor.
        need: what it was estimated to need.
        digests: sha256 of each weight file, by name.
    """

    checkpoint: Checkpoint
    model: PreTrainedModel
    processor: Any
    tokenizer: Any
    need: Need
    digests: dict[str, str]


def load(name: str, options: Options) -> Loaded:
    """Load a folder or hub id. Raises `ModelUnusable`, `UnknownName`, `InvalidOption` or `MissingDependency`.

    The order is the point: configuration, family, memory, and only then the files.
    """
    device = device_of(options)
    check_bits(options, device)
    dtype = dtype_of(options, device)
    checkpoint = checkpoints.find(name, options.revision)
    need = admit(checkpoint, device, dtype, options)
    folder = checkpoints.fetch(checkpoint)
    files = weight_files(name, folder)
    processor, tokenizer = _processor(checkpoint, folder)
    model = _weights(checkpoint, folder, device, dtype, options)
    return Loaded(checkpoint, model, processor, tokenizer, need, digests(files))


def _processor(checkpoint: Checkpoint, folder: Path) -> tuple[Any, Any]:
    auto = AutoProcessor if checkpoint.family.sees else AutoTokenizer
    try:
        processor = auto.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except (OSError, ValueError, TypeError, KeyError, ImportError) as error:
        raise ModelUnusable(f"{checkpoint.name}: its processor cannot be loaded: {error}") from error
    if checkpoint.family.sees and not hasattr(processor, "image_processor"):
        raise ModelUnusable(f"{checkpoint.name}: its processor for images is missing (preprocessor_config.json)")
    tokenizer = processor.tokenizer if checkpoint.family.sees else processor
    if not (processor.chat_template or tokenizer.chat_template):
        raise ModelUnusable(f"{checkpoint.name} has no chat template: take an instruction-tuned checkpoint")
    return processor, tokenizer


def _weights(
    checkpoint: Checkpoint, folder: Path, device: torch.device, dtype: torch.dtype, options: Options
) -> PreTrainedModel:
    auto = AutoModelForImageTextToText if checkpoint.family.sees else AutoModelForCausalLM
    placed: dict[str, Any] = {} if device.type == "cpu" else {"device_map": {"": device}}
    if options.bits < 16:
        placed["quantization_config"] = BitsAndBytesConfig(
            load_in_8bit=options.bits == 8, load_in_4bit=options.bits == 4, bnb_4bit_compute_dtype=dtype,
        )
    try:
        model, report = auto.from_pretrained(
            folder, dtype=dtype, use_safetensors=True, trust_remote_code=False, local_files_only=True,
            output_loading_info=True, **placed,
        )
    except (OSError, ValueError, RuntimeError, SafetensorError, KeyError) as error:
        raise ModelUnusable(f"{checkpoint.name} cannot be loaded: {error}") from error
    if report["missing_keys"]:
        missing = sorted(report["missing_keys"])
        raise ModelUnusable(
            f"{checkpoint.name}: {len(missing)} weights are not in its files, for example {missing[0]}: "
            "they belong to another configuration"
        )
    return model.eval()
