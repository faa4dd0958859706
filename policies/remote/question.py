"""What is asked of a policy, in no wire's form yet: pictures and vectors by the server's keys, and words.

The client makes one of an observation; a server of Tandem makes an observation of one. Each wire writes it its own way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tandem.bridge.contract import (
    SKILLS,
    BodySpec,
    InvalidObservation,
    Observation,
    SkillSpec,
    Subgoal,
    depth_key,
    image_key,
    skill_named,
)
from tandem.bridge.contract import observation as keys
from tandem.policies.remote.mapping import CameraKey, KeyMap
from tandem.policies.remote.parts import Part, Slot, measured
from tandem.policies.remote.pictures import resize_with_pad


@dataclass(frozen=True, eq=False)
class Question:
    """One request for a chunk.

    Attributes:
        pictures: by the server's key, uint8 (h, w, 3) or (3, h, w); depth float32 (h, w).
        vectors: by the server's key, (D,).
        words: the instruction.
        subgoal: `Subgoal.to_dict`, for a server of Tandem; None when there is none.
    """

    pictures: Mapping[str, np.ndarray]
    vectors: Mapping[str, np.ndarray]
    words: str
    subgoal: Mapping[str, Any] | None = None


@dataclass(frozen=True, eq=False)
class Reply:
    """One answer.

    Attributes:
        actions: by the server's key, (H, D).
        about: what a server of Tandem adds: session, epoch, request_id, final, phase. Empty of others.
    """

    actions: Mapping[str, np.ndarray]
    about: Mapping[str, Any] = field(default_factory=dict)


def ask(keymap: KeyMap, spec: BodySpec, observation: Observation, subgoal: Subgoal) -> Question:
    """The question about an observation. Raises `InvalidObservation` for what is missing or not finite."""
    try:
        pictures = {key.theirs: _picture(key, observation) for key in keymap.cameras}
        order = keymap.order(spec)
        vectors = {
            vector.theirs: np.concatenate([measured(slot, observation, spec, order) for slot in vector.slots])
            for vector in keymap.state
        }
    except KeyError as missing:
        raise InvalidObservation(f"observation lacks {missing}, which key map {keymap.name!r} sends") from None
    for name, vector in vectors.items():
        if not np.isfinite(vector).all():
            raise InvalidObservation(f"{name!r} would hold NaN or infinity")
    typed = {name: vector.astype(keymap.dtype) for name, vector in vectors.items()}
    return Question(pictures, typed, words_of(subgoal), subgoal.to_dict())


def words_of(subgoal: Subgoal, catalogue: Mapping[str, SkillSpec] = SKILLS) -> str:
    """The subgoal in plain words; the catalogue's when it has none of its own."""
    return subgoal.instruction or skill_named(subgoal.skill, catalogue).words(subgoal.arguments)[0]


def _picture(key: CameraKey, observation: Observation) -> np.ndarray:
    if key.depth:
        return np.asarray(observation[depth_key(key.ours)], np.float32)
    picture = observation[image_key(key.ours)]
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise InvalidObservation(f"image.{key.ours} is {picture.dtype}{picture.shape}, not uint8 (h, w, 3)")
    sized = picture if key.size is None else resize_with_pad(picture, *key.size)
    return np.ascontiguousarray(sized.transpose(2, 0, 1) if key.channels_first else sized)


def observe(
    keymap: KeyMap, spec: BodySpec, question: Question, time_s: float, tool_pose: Callable[[np.ndarray], np.ndarray],
) -> dict[str, np.ndarray]:
    """Inverse of `ask`: the observation that a question tells of.

    What a wire does not tell is filled in, and only that: velocity 0, the tool's pose from the joints, `time_s`.

    Args:
        keymap: of both sides.
        spec: of the body that the policy was made for.
        question: what came.
        time_s: when it came.
        tool_pose: (7,) for joint positions (n,).

    Raises:
        InvalidObservation: a key is missing, of the wrong shape or dtype, or not finite.
    """
    found: dict[str, np.ndarray] = {}
    for vector in keymap.state:
        values = _numbers(question.vectors, vector.theirs, vector.size(spec))
        for slot, where in vector.bounds(spec):
            found |= _measured(slot, values[where] / slot.scale, keymap.order(spec))
    for name in (keys.JOINT_POSITION, keys.GRIPPER_OPENING):
        if name not in found:
            raise InvalidObservation(f"key map {keymap.name!r} does not tell {name}; a policy here needs it")
    found.setdefault(keys.JOINT_VELOCITY, np.zeros(spec.dof))
    found.setdefault(keys.TIME, np.array([time_s]))
    if keys.TOOL_POSE not in found:
        found[keys.TOOL_POSE] = tool_pose(found[keys.JOINT_POSITION])
    for key in keymap.cameras:
        name = depth_key(key.ours) if key.depth else image_key(key.ours)
        found[name] = _seen(key, spec, question.pictures)
    return found


def _numbers(vectors: Mapping[str, np.ndarray], name: str, size: int) -> np.ndarray:
    if name not in vectors:
        raise InvalidObservation(f"{name!r} is missing; there came: {', '.join(vectors) or 'nothing'}")
    values = vectors[name]
    if not isinstance(values, np.ndarray) or values.shape != (size,) or values.dtype.kind not in "iuf":
        raise InvalidObservation(f"{name!r} must be numbers of shape ({size},), got {describe(values)}")
    if not np.isfinite(values).all():
        raise InvalidObservation(f"{name!r} holds NaN or infinity")
    return values.astype(np.float64)


def _measured(slot: Slot, values: np.ndarray, order: np.ndarray) -> dict[str, np.ndarray]:
    match slot.part:
        case Part.JOINTS | Part.JOINT_VELOCITY:
            ours = np.empty(len(order))
            ours[order] = values
            return {str(slot.part): ours}
        case Part.CLOSED:
            return {keys.GRIPPER_OPENING: 1.0 - values}
        case Part.OPENING | Part.TOOL_POSE | Part.TIME:
            return {str(slot.part): values}
    return {}  # what only repeats the joints and the gripper


def _seen(key: CameraKey, spec: BodySpec, pictures: Mapping[str, np.ndarray]) -> np.ndarray:
    if key.theirs not in pictures:
        raise InvalidObservation(f"picture {key.theirs!r} is missing; there came: {', '.join(pictures) or 'none'}")
    picture, camera = pictures[key.theirs], spec.camera(key.ours)
    width, height = key.size or (camera.width, camera.height)
    shape = (height, width) if key.depth else (3, height, width) if key.channels_first else (height, width, 3)
    dtype = np.dtype(np.float32 if key.depth else np.uint8)
    if not isinstance(picture, np.ndarray) or picture.shape != shape or picture.dtype != dtype:
        raise InvalidObservation(f"picture {key.theirs!r} must be {dtype}{shape}, got {describe(picture)}")
    return np.ascontiguousarray(picture.transpose(1, 2, 0)) if key.channels_first else picture


def describe(value: Any) -> str:
    """What a value is, in a few words."""
    return f"{value.dtype}{value.shape}" if isinstance(value, np.ndarray) else type(value).__name__
