"""A checkpoint: a folder, or a repository of the Hugging Face hub, judged by its configuration before any weight moves.

Weights are safetensors or nothing: every other format can run code while it is being read. The same goes for code that
a repository brings along: it is never run.
"""

from __future__ import annotations

import fnmatch
import json
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import hf_hub_download, list_repo_files, snapshot_download
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from safetensors import SafetensorError, safe_open
from transformers import AutoConfig, PreTrainedConfig

from tandem.agent.planner.families.registry import family_of
from tandem.agent.planner.family import Family
from tandem.bridge.contract import ModelUnusable

_NEEDED = ("*.safetensors", "*.json", "*.jinja", "*.txt", "*.model", "*.tiktoken")
_EXECUTABLE = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.h5", "*.msgpack")
_INDEX = "model.safetensors.index.json"


@dataclass(frozen=True)
class Checkpoint:
    """Where a model comes from, before its weights are there.

    Attributes:
        name: folder or hub id, as it was asked for.
        folder: with its files; of a hub repository, for now only the configuration.
        revision: commit of the hub, None for a folder.
        family: what its kind of model is like.
        config: its configuration.
    """

    name: str
    folder: Path
    revision: str | None
    family: Family
    config: PreTrainedConfig


def find(name: str, revision: str | None = None) -> Checkpoint:
    """Look a model up and read its configuration, nothing more.

    Raises:
        ModelUnusable: there is no such model, or it has no weights in safetensors.
        UnknownName: its model type belongs to no family that Tandem knows.
    """
    folder = Path(name).expanduser()
    is_folder = folder.is_dir()
    if not is_folder:
        folder = _look_up(name, revision)
    family = family_of(_model_type(folder, name))
    files = sorted(path.name for path in folder.iterdir()) if is_folder else _listed(name, folder.name)
    check_names(name, files)
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ModelUnusable(f"{name}: its configuration cannot be read: {error}") from error
    return Checkpoint(name, folder, None if is_folder else folder.name, family, config)


def fetch(checkpoint: Checkpoint) -> Path:
    """The folder with all files; of a hub repository they are downloaded now (with progress), if they are not there."""
    if checkpoint.revision is None:
        return checkpoint.folder
    try:
        return Path(snapshot_download(
            checkpoint.name, revision=checkpoint.revision, allow_patterns=list(_NEEDED), ignore_patterns=["*/*"],
        ))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise ModelUnusable(f"{checkpoint.name} cannot be downloaded: {error}") from error


def weight_files(name: str, folder: Path) -> list[Path]:
    """The safetensors files that make up the model, each opened once. Raises `ModelUnusable` for missing or damaged."""
    index = folder / _INDEX
    if index.is_file():
        try:
            shards = sorted(set(json.loads(index.read_text())["weight_map"].values()))
        except (ValueError, KeyError, AttributeError) as error:
            raise ModelUnusable(f"{name}: {_INDEX} is damaged: {error}. Download it again.") from error
    else:
        shards = ["model.safetensors"]
    files = [folder / shard for shard in shards]
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise ModelUnusable(f"{name}: weights are missing: {', '.join(missing)}. Download it again.")
    for file in files:
        try:
            with safe_open(file, "pt") as stream:
                stream.keys()
        except (SafetensorError, OSError) as error:
            raise ModelUnusable(f"{name}: {file.name} is damaged: {error}. Download it again.") from error
    return files


def check_names(name: str, files: list[str]) -> None:
    """Raise `ModelUnusable` unless the names of the files promise weights in safetensors."""
    if "model.safetensors" in files or _INDEX in files:
        return
    pickled = [file for file in files if any(fnmatch.fnmatch(file, pattern) for pattern in _EXECUTABLE)]
    if pickled:
        raise ModelUnusable(
            f"{name} has its weights only in a format that can run code ({', '.join(pickled[:3])}). Tandem reads "
            "safetensors only: convert it with transformers' save_pretrained in a place where that is no danger."
        )
    raise ModelUnusable(f"{name} has no weights: there is neither model.safetensors nor {_INDEX}")


def _look_up(name: str, revision: str | None) -> Path:
    """The folder of the hub's cache with `config.json`; its name is the commit."""
    try:
        return Path(hf_hub_download(name, "config.json", revision=revision)).parent
    except HFValidationError as error:
        raise ModelUnusable(f"there is no model {name!r}: no such folder, and no hub id either") from error
    except EntryNotFoundError as error:
        raise ModelUnusable(f"{name!r} cannot be had: {error}") from error
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise ModelUnusable(f"there is no model {name!r}: no such folder, and the hub says: {error}") from error


def _listed(name: str, commit: str) -> list[str]:
    try:
        return list_repo_files(name, revision=commit)
    except (HfHubHTTPError, OSError) as error:
        try:
            snapshot = Path(snapshot_download(name, revision=commit, local_files_only=True))
        except (LocalEntryNotFoundError, OSError):
            raise ModelUnusable(f"the files of {name} cannot be listed: {error}") from error
        return sorted(path.name for path in snapshot.iterdir())


def _model_type(folder: Path, name: str) -> str:
    file = folder / "config.json"
    if not file.is_file():
        raise ModelUnusable(f"{name} is no model: it has no config.json")
    try:
        return str(json.loads(file.read_text()).get("model_type"))
    except (ValueError, AttributeError) as error:
        raise ModelUnusable(f"{name}: config.json is damaged: {error}") from error
