"""How GR00T's wire writes a question and an answer.

N1.6 and N1.7 nest: {"video": {key: (1, 1, h, w, 3)}, "state": {key: (1, 1, D)}, "language": {key: [[words]]}}, and
answer [{key: (1, H, D)}, info]. N1.5 is flat: "video.key" (1, h, w, 3), "state.key" (1, D), the words under their key
as it is; it answers {"action.key": (H, D)}. "depth" beside "video" is Tandem's own.
Source: gr00t/policy/gr00t_policy.py and gr00t/eval/service.py of NVIDIA's Isaac-GR00T.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from tandem.bridge.contract import InvalidObservation
from tandem.policies.remote.errors import Undecodable
from tandem.policies.remote.mapping import KeyMap, Told
from tandem.policies.remote.question import Question, Reply

_AXES = {"video": 3, "depth": 2, "state": 1}
_GROUPS = {"video": "pictures", "state": "state", "action": "action", "language": "words"}


def pack(question: Question, keymap: KeyMap, *, flat: bool) -> dict[str, Any]:
    """The observation that a server is sent."""
    depths = {key.theirs for key in keymap.cameras if key.depth}
    groups = {"video": {}, "depth": {}, "state": {}}
    for name, picture in question.pictures.items():
        groups["depth" if name in depths else "video"][name] = picture
    groups["state"].update(question.vectors)
    if flat:
        arrays = {f"{kind}.{name}": array[None] for kind, group in groups.items() for name, array in group.items()}
        return {**arrays, keymap.prompt: [question.words]}
    nested = {kind: {name: array[None, None] for name, array in group.items()} for kind, group in groups.items()}
    if not depths:
        del nested["depth"]
    return {**nested, "language": {keymap.prompt: [[question.words]]}}


def unpack(observation: Any, keymap: KeyMap) -> Question:
    """Inverse of `pack`, for either form. Raises `InvalidObservation`."""
    if type(observation) is not dict:
        raise InvalidObservation(f"the observation must be a map, got {type(observation).__name__}")
    groups, flat = _groups(observation)
    words = observation.get(keymap.prompt) if flat else groups["language"].get(keymap.prompt)
    arrays = {
        kind: {name: _single(name, array, axes) for name, array in groups[kind].items()} for kind, axes in _AXES.items()
    }
    return Question({**arrays["video"], **arrays["depth"]}, arrays["state"], _first(words))


def _groups(observation: Mapping[str, Any]) -> tuple[dict[str, Mapping[str, Any]], bool]:
    kinds = ("video", "depth", "state", "language")
    if "video" in observation or "state" in observation:
        groups = {kind: observation.get(kind) or {} for kind in kinds}
        if not all(type(group) is dict for group in groups.values()):
            raise InvalidObservation("video, depth, state and language must be maps")
        return groups, False
    groups = {kind: {name[len(kind) + 1:]: value for name, value in observation.items()
                     if type(name) is str and name.startswith(f"{kind}.")} for kind in kinds}
    return groups, True


def _single(name: str, array: Any, axes: int) -> np.ndarray:
    """An array without its leading axes of batch and time, which must be 1."""
    if not isinstance(array, np.ndarray) or array.ndim < axes or math.prod(array.shape[:array.ndim - axes]) != 1:
        raise InvalidObservation(f"{name!r}: an array of {axes} axes is wanted, after those of batch and time, 1 each")
    return array.reshape(array.shape[array.ndim - axes:])


def _first(words: Any) -> str:
    for _ in range(2):
        if isinstance(words, (list, tuple)) and len(words) == 1:
            words = words[0]
    return words if type(words) is str else ""


def reply(answer: Any) -> Reply:
    """The chunk in an answer; list and map tell the versions apart. Raises `Undecodable`."""
    listed = isinstance(answer, list) and len(answer) == 2
    actions = answer[0] if listed else answer
    if type(actions) is not dict or not actions:
        raise Undecodable(f"neither [action, info] nor a map of actions, but {type(answer).__name__}")
    about = answer[1].get("tandem") if listed and type(answer[1]) is dict else None
    found = {str(name).removeprefix("action."): _without_batch(array) for name, array in actions.items()}
    return Reply(found, about if type(about) is dict else {})


def _without_batch(array: Any) -> Any:
    return array[0] if isinstance(array, np.ndarray) and array.ndim == 3 and len(array) == 1 else array


def told(modalities: Any, tandem: Any) -> tuple[Told, bool]:
    """What get_modality_config tells, and whether the server wants the flat form. Raises `Undecodable`."""
    if type(modalities) is not dict:
        raise Undecodable(f"get_modality_config answered with {type(modalities).__name__}, not a map")
    found, flat, notes = {}, False, []
    for kind, field in _GROUPS.items():
        config = modalities.get(kind)
        if type(config) is not dict or type(config.get("modality_keys")) is not list:
            continue
        names = [str(name) for name in config["modality_keys"]]
        flat = flat or any(name.startswith(f"{kind}.") for name in names)
        found[field] = frozenset(name.removeprefix(f"{kind}.") for name in names)
        notes.append(f"{kind}: {', '.join(names)} at steps {_steps(config)}")
        if kind in ("video", "state") and config.get("delta_indices") not in (None, [0]):
            found[field] = frozenset({f"{name} (steps {_steps(config)})" for name in found[field]})  # no history here
    return Told(**found, tandem=tandem if type(tandem) is dict else None, notes=tuple(notes)), flat


def _steps(config: Mapping[str, Any]) -> str:
    steps = config.get("delta_indices")
    if type(steps) is not list or not steps:
        return "unknown"
    return f"{steps[0]} to {steps[-1]}" if len(steps) > 1 else str(steps[0])
