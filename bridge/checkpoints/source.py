"""A folder, or a repository of the Hugging Face hub at one commit, that is judged before any weight moves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import hf_hub_download, list_repo_files, snapshot_download
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

from tandem.bridge.contract.errors import ModelUnusable

NEEDED = ("*.safetensors", "*.json", "*.jinja", "*.txt", "*.model", "*.tiktoken")


@dataclass(frozen=True)
class Source:
    """Where files are.

    Attributes:
        name: folder or hub id, as it was asked for.
        folder: with its files; of a hub repository, until `fetch`, only with its configuration.
        revision: commit of the hub, None for a folder.
    """

    name: str
    folder: Path
    revision: str | None


def locate(name: str, revision: str | None = None, described_by: str = "config.json") -> Source:
    """Look a checkpoint up; of the hub only the file that describes it is downloaded.

    Args:
        name: folder or hub id.
        revision: branch, tag or commit of the hub.
        described_by: the name of that file.

    Raises:
        ModelUnusable: there is no such model.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return Source(name, folder, None)
    folder = _look_up(name, revision, described_by)
    return Source(name, folder, folder.name)


def files_of(source: Source) -> list[str]:
    """The names of its files, sorted. Raises `ModelUnusable` when the hub does not list them."""
    if source.revision is None:
        return sorted(path.name for path in source.folder.iterdir())
    try:
        return list_repo_files(source.name, revision=source.revision)
    except (HfHubHTTPError, OSError) as error:
        try:
            snapshot = Path(snapshot_download(source.name, revision=source.revision, local_files_only=True))
        except (LocalEntryNotFoundError, OSError):
            raise ModelUnusable(f"the files of {source.name} cannot be listed: {error}") from error
        return sorted(path.name for path in snapshot.iterdir())


def fetch(source: Source, patterns: Sequence[str] = NEEDED) -> Path:
    """The folder with all files; of a hub repository they are downloaded now (with progress), if they are not there."""
    if source.revision is None:
        return source.folder
    try:
        return Path(snapshot_download(
            source.name, revision=source.revision, allow_patterns=list(patterns), ignore_patterns=["*/*"],
        ))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise ModelUnusable(f"{source.name} cannot be downloaded: {error}") from error


def described(source: Source, file: str = "config.json") -> dict[str, Any]:
    """What its file says. Raises `ModelUnusable` when there is none, or it is damaged."""
    path = source.folder / file
    if not path.is_file():
        raise ModelUnusable(f"{source.name} is no model: it has no {file}")
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise ModelUnusable(f"{source.name}: {file} is damaged: {error}") from error
    if not isinstance(told, dict):
        raise ModelUnusable(f"{source.name}: {file} is damaged: it holds no object")
    return told


def _look_up(name: str, revision: str | None, described_by: str) -> Path:
    """The folder of the hub's cache with that file; its name is the commit."""
    try:
        return Path(hf_hub_download(name, described_by, revision=revision)).parent
    except HFValidationError as error:
        raise ModelUnusable(f"there is no model {name!r}: no such folder, and no hub id either") from error
    except EntryNotFoundError as error:
        raise ModelUnusable(f"{name!r} cannot be had: {error}") from error
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise ModelUnusable(f"there is no model {name!r}: no such folder, and the hub says: {error}") from error
