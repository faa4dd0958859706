"""How a model's numbers are scaled: the mean and deviation of what it was trained on, from whoever wrote them down.

Three forms are read: a processor of transformers (`processor_config.json`), openpi's `norm_stats.json`, and the state
of LeRobot's normaliser (safetensors). What Tandem trains is written in openpi's form.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from tandem.bridge.contract import ModelUnusable

FILE = "norm_stats.json"
_PROCESSOR = ("processor_config.json", "preprocessor_config.json")
_LEROBOT = "policy_preprocessor*normalizer*.safetensors"
_TINY = 1e-8  # as transformers and LeRobot have it


@dataclass(frozen=True, eq=False)
class Scale:
    """Of one vector: theirs = (ours - mean) / deviation.

    Attributes:
        mean: (D,) in the unit of the key map.
        deviation: (D,) likewise, above 0.
    """

    mean: np.ndarray
    deviation: np.ndarray

    def __post_init__(self):
        for name in ("mean", "deviation"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), np.float64))
        if self.mean.ndim != 1 or self.mean.shape != self.deviation.shape or not len(self.mean):
            raise ModelUnusable(f"statistics need a mean and a deviation for each number, got {self.mean.shape} and "
                                f"{self.deviation.shape}")
        if not (np.isfinite(self.mean).all() and np.isfinite(self.deviation).all()) or self.deviation.min() < 0:
            raise ModelUnusable("statistics hold NaN, infinity or a negative deviation: take the training data's")

    def __len__(self) -> int:
        return len(self.mean)

    def scaled(self, values: np.ndarray) -> np.ndarray:
        """(..., D) as the model speaks."""
        return (values - self.mean) / (self.deviation + _TINY)

    def restored(self, values: np.ndarray) -> np.ndarray:
        """Inverse of `scaled`."""
        return values * (self.deviation + _TINY) + self.mean

    @classmethod
    def of(cls, values: np.ndarray, least: float = 1e-3) -> Scale:
        """Of values (N, D). What never changes is given a deviation of `least`, so that it does not blow up noise."""
        values = np.asarray(values, np.float64)
        return cls(values.mean(axis=0), np.maximum(values.std(axis=0), least))


@dataclass(frozen=True, eq=False)
class Statistics:
    """Of both vectors.

    Attributes:
        state: of what goes in.
        action: of what comes out.
        origin: where they come from, for a person.
    """

    state: Scale
    action: Scale
    origin: str = "given"

    def lines(self) -> list[str]:
        """For a person to look over."""
        return [f"statistics from {self.origin}", *(
            f"{name}: mean {_few(scale.mean)}, deviation {_few(scale.deviation)}"
            for name, scale in (("state", self.state), ("action", self.action))
        )]

    def write(self, path: Path) -> None:
        """In openpi's form."""
        told = {name: {"mean": scale.mean.tolist(), "std": scale.deviation.tolist()}
                for name, scale in (("state", self.state), ("actions", self.action))}
        path.write_text(json.dumps({"norm_stats": told}, indent=1) + "\n", encoding="utf-8")


def read(path: Path) -> Statistics:
    """The statistics of a file in any of the three forms. Raises `ModelUnusable`."""
    path = Path(path).expanduser()
    try:
        is_json = path.suffix != ".safetensors"
        found = _of_json(json.loads(path.read_text(encoding="utf-8"))) if is_json else _of_lerobot(load_file(path))
        if found is None:
            raise ModelUnusable(f"{path} holds no statistics of state and actions")
        return Statistics(Scale(*found[0]), Scale(*found[1]), path.name)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, SafetensorError) as reason:
        raise ModelUnusable(f"statistics {path} cannot be read: {reason}") from reason
    except ModelUnusable as reason:
        raise ModelUnusable(f"{path}: {reason}") from reason


def find(folder: Path) -> Statistics | None:
    """Those that a checkpoint's folder holds; None if it holds none."""
    if (folder / FILE).is_file():
        return read(folder / FILE)
    for name in _PROCESSOR:
        path = folder / name
        if path.is_file() and _told(path):
            return read(path)
    normalisers = sorted(folder.glob(_LEROBOT))
    return read(normalisers[0]) if normalisers and _of_lerobot(load_file(normalisers[0])) else None


Pair = tuple[tuple[Any, Any], tuple[Any, Any]]


def _told(path: Path) -> bool:
    try:
        return _of_json(json.loads(path.read_text(encoding="utf-8"))) is not None
    except (ValueError, AttributeError) as reason:
        raise ModelUnusable(f"{path} is damaged: {reason}") from reason


def _of_json(told: Mapping[str, Any]) -> Pair | None:
    if "norm_stats" in told:
        inner = told["norm_stats"]
        return tuple((inner[name]["mean"], inner[name]["std"]) for name in ("state", "actions"))
    return _pair(told.get, "state_mean", "state_std", "actions_mean", "actions_std")


def _of_lerobot(tensors: Mapping[str, np.ndarray]) -> Pair | None:
    return _pair(tensors.get, "observation.state.mean", "observation.state.std", "action.mean", "action.std")


def _pair(get: Callable[[str], Any], *names: str) -> Pair | None:
    values = [get(name) for name in names]
    return None if any(value is None for value in values) else ((values[0], values[1]), (values[2], values[3]))


def _few(values: np.ndarray) -> str:
    return " ".join(f"{value:.3g}" for value in values)
