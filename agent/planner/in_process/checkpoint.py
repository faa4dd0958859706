"""A checkpoint of a planner: where its files are, and of which family it is, before any weight moves.

Weights are safetensors or nothing: every other format can run code while it is being read. The same goes for code that
a repository brings along: it is never run. These rules are `tandem.bridge.checkpoints`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from transformers import AutoConfig, PreTrainedConfig

from tandem.agent.planner.families.registry import family_of
from tandem.agent.planner.family import Family
from tandem.bridge import checkpoints
from tandem.bridge.contract import ModelUnusable


@dataclass(frozen=True)
class Checkpoint:
    """Where a model comes from, before its weights are there.

    Attributes:
        source: its files.
        family: what its kind of model is like.
        config: its configuration.
    """

    source: checkpoints.Source
    family: Family
    config: PreTrainedConfig

    @property
    def name(self) -> str:
        """Folder or hub id, as it was asked for."""
        return self.source.name

    @property
    def revision(self) -> str | None:
        """Commit of the hub, None for a folder."""
        return self.source.revision


def find(name: str, revision: str | None = None) -> Checkpoint:
    """Look a model up and read its configuration, nothing more.

    Raises:
        ModelUnusable: there is no such model, or it has no weights in safetensors.
        UnknownName: its model type belongs to no family that Tandem knows.
    """
    source = checkpoints.locate(name, revision)
    family = family_of(str(checkpoints.described(source).get("model_type")))
    checkpoints.check_names(name, checkpoints.files_of(source))
    try:
        config = AutoConfig.from_pretrained(source.folder, trust_remote_code=False, local_files_only=True)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ModelUnusable(f"{name}: its configuration cannot be read: {error}") from error
    return Checkpoint(source, family, config)


def fetch(checkpoint: Checkpoint) -> Path:
    """The folder with all files; of a hub repository they are downloaded now (with progress), if they are not there."""
    return checkpoints.fetch(checkpoint.source)
