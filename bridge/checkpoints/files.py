"""The files of a checkpoint: safetensors or nothing, since every other format can run code when it is read."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Sequence
from pathlib import Path

from safetensors import SafetensorError, safe_open

from tandem.bridge.contract.errors import ModelUnusable

_EXECUTABLE = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.h5", "*.msgpack")
WEIGHTS = "model.safetensors"


def check_names(name: str, files: Sequence[str], weights: str = WEIGHTS) -> None:
    """Raise `ModelUnusable` unless the names of the files promise weights in safetensors.

    Args:
        name: of the checkpoint, for the message.
        files: their names.
        weights: the file that holds them, or an index beside it says which do.
    """
    if weights in files or f"{weights}.index.json" in files:
        return
    pickled = [file for file in files if any(fnmatch.fnmatch(file, pattern) for pattern in _EXECUTABLE)]
    if pickled:
        raise ModelUnusable(
            f"{name} has its weights only in a format that can run code ({', '.join(pickled[:3])}). Tandem reads "
            "safetensors only: convert it with transformers' save_pretrained in a place where that is no danger."
        )
    raise ModelUnusable(f"{name} has no weights: there is neither {weights} nor {weights}.index.json")


def weight_files(name: str, folder: Path, weights: str = WEIGHTS) -> list[Path]:
    """The safetensors files that make up the model, each opened once. Raises `ModelUnusable` for missing or damaged."""
    index = folder / f"{weights}.index.json"
    if index.is_file():
        try:
            shards = sorted(set(json.loads(index.read_text())["weight_map"].values()))
        except (ValueError, KeyError, AttributeError) as error:
            raise ModelUnusable(f"{name}: {index.name} is damaged: {error}. Download it again.") from error
    else:
        shards = [weights]
    files = [folder / shard for shard in shards]
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise ModelUnusable(f"{name}: weights are missing: {', '.join(missing)}. Download it again.")
    for file in files:
        try:
            with safe_open(file, "np") as stream:
                stream.keys()
        except (SafetensorError, OSError) as error:
            raise ModelUnusable(f"{name}: {file.name} is damaged: {error}. Download it again.") from error
    return files
