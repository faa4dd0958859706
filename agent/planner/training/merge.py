"""Writes what a model has learnt: the adapter alone, and a whole checkpoint that needs no peft to be loaded."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel, get_peft_model_state_dict
from safetensors.torch import save_file

from tandem.agent.planner.in_process import checkpoint as checkpoints
from tandem.agent.planner.in_process.load import Loaded
from tandem.bridge.contract import ModelUnusable
from tandem.bridge.log.manifest import versions

PROVENANCE, SETTINGS = "adapted.json", "tandem.json"
_BESIDE = ("*.json", "*.jinja", "*.txt", "*.model", "*.tiktoken", "LICENSE*", "NOTICE*")  # words, pictures, rights
_REWRITTEN = ("config.json", "generation_config.json", "model.safetensors.index.json", SETTINGS, PROVENANCE)


def write_adapter(adapted: PeftModel, folder: Path) -> None:
    """The adapter as peft reads it: `adapter_config.json` names the base and its revision."""
    folder.mkdir(parents=True, exist_ok=True)
    config = copy.copy(adapted.peft_config["default"])
    config.inference_mode = True
    config.save_pretrained(folder)
    weights = get_peft_model_state_dict(adapted, save_embedding_layers=False)
    save_file({name: weight.detach().cpu().contiguous() for name, weight in weights.items()},
              folder / "adapter_model.safetensors", metadata={"format": "pt"})


def write_merged(
    adapted: PeftModel, loaded: Loaded, folder: Path, settings: Mapping[str, bool], about: Mapping[str, Any]
) -> Path:
    """The whole model, adapters added in, in the number format of its base; replaces a folder from before.

    Args:
        adapted: the model with its adapters, which are gone afterwards.
        loaded: the model.
        folder: of the checkpoint.
        settings: how it is asked, for its `tandem.json`.
        about: what it was made of, for its `adapted.json`.
    """
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        merged = adapted.merge_and_unload(safe_merge=True)
    except ValueError as reason:
        raise ModelUnusable(f"{loaded.checkpoint.name} has not learnt but broken: {reason}; lower the rate") from reason
    merged.to(loaded.checkpoint.config.dtype or torch.float32).save_pretrained(partial)
    source = checkpoints.fetch(loaded.checkpoint)
    beside = {path.name: path for pattern in _BESIDE for path in source.glob(pattern) if path.is_file()}
    for name, path in beside.items():
        if name not in _REWRITTEN:
            shutil.copyfile(path, partial / name)
    made_with = versions(("peft", "torch", "transformers", "tandem"))
    _write(partial / PROVENANCE, {**about, "versions": made_with})
    if settings:
        _write(partial / SETTINGS, settings)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    return folder


def _write(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
