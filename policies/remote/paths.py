"""How the wires of openpi and vla-eval write a question: one map; "images.wrist" means {"images": {"wrist": ...}}."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tandem.bridge.contract import InvalidObservation
from tandem.policies.remote.mapping import KeyMap
from tandem.policies.remote.question import Question


def pack(question: Question, keymap: KeyMap) -> dict[str, Any]:
    """The observation that a server is sent."""
    packed: dict[str, Any] = {}
    for name, value in {**question.pictures, **question.vectors, keymap.prompt: question.words}.items():
        *folders, last = name.split(".")
        place = packed
        for folder in folders:
            place = place.setdefault(folder, {})
        place[last] = value
    return packed


def unpack(observation: Any, keymap: KeyMap) -> Question:
    """Inverse of `pack`; keys that the map does not name are not looked at. Raises `InvalidObservation`."""
    if type(observation) is not dict:
        raise InvalidObservation(f"the observation must be a map, got {type(observation).__name__}")
    pictures = {key.theirs: _find(observation, key.theirs) for key in keymap.cameras}
    vectors = {vector.theirs: _vector(_find(observation, vector.theirs)) for vector in keymap.state}
    words = _find(observation, keymap.prompt)
    return Question(_there(pictures), _there(vectors), words if type(words) is str else "")


def _there(found: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if value is not None}


def _find(observation: Mapping[str, Any], name: str) -> Any:
    value: Any = observation
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _vector(value: Any) -> Any:
    """A number alone is a vector of one, as some clients send the gripper."""
    if type(value) in (int, float) or isinstance(value, np.generic):
        return np.array([value])
    return value[None] if isinstance(value, np.ndarray) and value.ndim == 0 else value
