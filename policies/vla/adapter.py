"""A fine-tuned adapter as a folder: its weights, the statistics of what it was trained on, and what it was made for.

`adapter_config.json` and `adapter_model.safetensors` are peft's; `norm_stats.json` is in openpi's form; `adapter.json`
says which base it belongs to, for which robot, key map and rate it was made, and which skills it was shown.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from peft import PeftModel
from torch import nn

from tandem.bridge.checkpoints import digests
from tandem.bridge.contract import ModelUnusable
from tandem.policies.remote.mapping import KeyMap
from tandem.policies.remote.presets import from_fields, to_fields
from tandem.policies.vla import statistics
from tandem.policies.vla.statistics import Statistics
from tandem.policies.vla.words import ABOUT

WEIGHTS = "adapter_model.safetensors"
KIND = "pi0_adapter"


@dataclass(frozen=True)
class About:
    """What an adapter says of itself.

    Attributes:
        base: id, revision and digest of the model that it changes.
        keymap: what is called what.
        made_for: robot, joints, rate and keys (`policies.remote.mapping.fingerprint`).
        skills: what it was shown, by name.
        ends: whether the number after an action's own says that the subgoal is over (above 0) or not.
        made: how, plain types.
    """

    base: Mapping[str, Any]
    keymap: KeyMap
    made_for: Mapping[str, Any]
    skills: tuple[str, ...]
    ends: bool
    made: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Adapter:
    """A folder that was read.

    Attributes:
        folder: where it is.
        about: what it says.
        statistics: its own.
        digests: sha256 of its weight file, by name.
    """

    folder: Path
    about: About
    statistics: Statistics
    digests: Mapping[str, str]


def places(adapted: PeftModel) -> dict[str, nn.Parameter]:
    """An adapter's weights in a model, by their names in its file.

    peft's own way would rename them first, as transformers renames the weights of LeRobot's checkpoints.
    """
    return {name.replace(".default.", "."): weight for name, weight in adapted.named_parameters() if "lora_" in name}


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds one."""
    return (folder / ABOUT).is_file()


def read(folder: Path) -> Adapter:
    """The adapter in a folder. Raises `ModelUnusable` for one that is incomplete, damaged or altered."""
    told = _told(folder)
    try:
        about = About(
            dict(told["base"]), from_fields(told["keymap"]), told["made_for"], tuple(told["skills"]), told["ends"],
            told["made"],
        )
        before = told["weights"]
    except (KeyError, TypeError, ValueError, AttributeError) as reason:
        raise ModelUnusable(f"{folder / ABOUT} is damaged: {reason}") from reason
    missing = [name for name in (WEIGHTS, "adapter_config.json", statistics.FILE) if not (folder / name).is_file()]
    if missing:
        raise ModelUnusable(f"{folder} is incomplete: {', '.join(missing)} is missing. Copy the whole folder again")
    now = digests([folder / WEIGHTS, folder / statistics.FILE])
    altered = [name for name, digest in now.items() if before.get(name) != digest]
    if altered:
        raise ModelUnusable(f"{folder}: {', '.join(altered)} is not what was trained: its sha256 is another one than "
                            f"{ABOUT} says. Copy the folder again")
    return Adapter(folder, about, statistics.read(folder / statistics.FILE), now)


def finish(folder: Path, about: About, scales: Statistics) -> None:
    """Write all but the weights, which are there. `adapter.json` comes last: without it a folder is no adapter."""
    scales.write(folder / statistics.FILE)
    told = {
        "kind": KIND, "base": dict(about.base), "keymap": to_fields(about.keymap), "made_for": dict(about.made_for),
        "skills": list(about.skills), "ends": about.ends, "made": dict(about.made),
        "weights": digests([folder / WEIGHTS, folder / statistics.FILE]),
    }
    part = folder / f"{ABOUT}.part"
    part.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    part.replace(folder / ABOUT)


def _told(folder: Path) -> Mapping[str, Any]:
    path = folder / ABOUT
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except OSError as reason:
        raise ModelUnusable(f"{folder} holds no adapter: it has no {ABOUT}") from reason
    except ValueError as reason:
        raise ModelUnusable(f"{path} is damaged: {reason}") from reason
    if not isinstance(told, dict) or told.get("kind") != KIND:
        raise ModelUnusable(f"{path} describes no {KIND}")
    return told
