"""pi0's checkpoint before any weight moves: its configuration, the keys that it names, the tokenizer that it needs.

Two kinds are in use: those that transformers writes (a configuration, a processor beside it), and LeRobot's, which
transformers reads as well but which bring neither tokenizer nor picture processor; PaliGemma's own are taken for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from transformers import PI0Config

from tandem.bridge import checkpoints
from tandem.bridge.contract import ModelUnusable
from tandem.policies.remote.mapping import Told

TOKENIZER = "google/paligemma-3b-pt-224"  # what LeRobot's pi0 is used with
READER = ("*.json", "*.model", "*.txt", "*.jinja")
_KINDS = ("pi0",)


@dataclass(frozen=True)
class Checkpoint:
    """A base model.

    Attributes:
        source: its files.
        config: its configuration.
        told: the keys that it names, where it names any.
        reader: where its tokenizer and picture processor are.
    """

    source: checkpoints.Source
    config: PI0Config
    told: Told
    reader: checkpoints.Source


def find(name: str, revision: str | None = None, tokenizer: str | None = None) -> Checkpoint:
    """Look a model up and read its configuration, nothing more.

    Args:
        name: folder or hub id.
        revision: branch, tag or commit of the hub.
        tokenizer: folder or hub id with tokenizer and picture processor, for a checkpoint that brings none.

    Raises:
        ModelUnusable: there is no such model, it is no pi0, or it has no weights in safetensors.
    """
    source = checkpoints.locate(name, revision)
    fields = checkpoints.described(source)
    kind = fields.get("model_type", fields.get("type"))
    if kind not in _KINDS:
        raise ModelUnusable(f"{name} is a {kind!r} model; in this process runs {', '.join(_KINDS)}. Others run behind "
                            "a policy server: --policy gr00t:... or openpi:...")
    files = checkpoints.files_of(source)
    checkpoints.check_names(name, files)
    try:
        config = PI0Config.from_pretrained(source.folder, local_files_only=True)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ModelUnusable(f"{name}: its configuration cannot be read: {error}") from error
    own = tokenizer is None and ("tokenizer.json" in files or "tokenizer.model" in files)
    return Checkpoint(source, config, _told(fields), source if own else _reader(name, tokenizer or TOKENIZER))


def _reader(name: str, tokenizer: str) -> checkpoints.Source:
    try:
        return checkpoints.locate(tokenizer, described_by="tokenizer_config.json")
    except ModelUnusable as reason:
        raise ModelUnusable(
            f"{name} brings no tokenizer, and PaliGemma's cannot be had: {reason}. Accept its licence on the hub, or "
            "name a folder that holds tokenizer.json and preprocessor_config.json (--policy-tokenizer)"
        ) from reason


def _told(fields: dict[str, Any]) -> Told:
    """LeRobot's configuration names its features."""
    inputs, outputs = fields.get("input_features") or {}, fields.get("output_features") or {}
    try:
        pictures = [name for name, feature in inputs.items() if feature["type"] == "VISUAL"]
        state = [name for name, feature in inputs.items() if feature["type"] == "STATE"]
    except (TypeError, KeyError) as error:
        raise ModelUnusable(f"its input_features are damaged: {error}") from error
    return Told(*(frozenset(names) if names else None for names in (pictures, state, list(outputs))))
