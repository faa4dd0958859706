"""From a server's answer to actions of the body (checked, absolute, our order, the body's rate), and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from tandem.bridge.contract import BodySpec, InvalidAction, InvalidOption, Observation, SpecMismatch
from tandem.bridge.contract import observation as keys
from tandem.policies.remote.mapping import KeyMap, VectorKey
from tandem.policies.remote.parts import JOINT_PARTS, Part, Slot, as_gripper, as_joints, joint_targets, openings
from tandem.policies.remote.question import describe

MAX_ACTIONS = 1000  # of one chunk
_FAR = 1e3  # rad, m or openings in one action: nobody means them, and sums and steps of them are no numbers any more


def to_body(
    keymap: KeyMap, spec: BodySpec, answer: Mapping[str, Any], observation: Observation, arm: Any = None
) -> np.ndarray:
    """(H, n + 1) joint targets in rad and gripper openings, one for each control step.

    Args:
        keymap: says what the numbers mean.
        spec: of the body.
        answer: by the server's key, (H, D).
        observation: the one that it answers.
        arm: the body's kinematics (`policies.motion.kinematics.Arm`), for actions of the tool.

    Raises:
        SpecMismatch: a key is missing, or an array has another shape than the map says.
        InvalidAction: a number is not finite or out of all measure, or a joint lies further outside its range than the
            map allows.
        SkillFailed: no joint positions within limits follow the tool.
    """
    arrays = {vector.theirs: _checked(vector, spec, answer) for vector in keymap.action}
    if len({len(array) for array in arrays.values()}) != 1:
        raise SpecMismatch([f"lengths of the server's actions: { {name: len(a) for name, a in arrays.items()} }"])
    here = np.asarray(observation[keys.JOINT_POSITION], np.float64)
    parts: dict[bool, np.ndarray] = {}
    for vector in keymap.action:
        for slot, where in vector.bounds(spec):
            values = arrays[vector.theirs][:, where][:keymap.use]
            joints = slot.part in JOINT_PARTS
            parts[joints] = _joints(slot, values, keymap, spec, observation, arm) if joints else openings(slot, values)
    actions = np.column_stack((parts[True], parts[False]))
    start = np.append(here, observation[keys.GRIPPER_OPENING])
    return within(resampled(actions, start, keymap.dt_s, spec.dt_s), spec, keymap.beyond_rad)


def _checked(vector: VectorKey, spec: BodySpec, answer: Mapping[str, Any]) -> np.ndarray:
    if vector.theirs not in answer:
        raise SpecMismatch([f"action {vector.theirs!r} did not come; there came: {', '.join(map(str, answer))[:200]}"])
    array, size = answer[vector.theirs], vector.size(spec)
    fits = isinstance(array, np.ndarray) and array.ndim == 2 and array.shape[1] == size and array.dtype.kind in "iuf"
    if not fits or not 1 <= len(array) <= MAX_ACTIONS:
        wanted = f"numbers (1 to {MAX_ACTIONS}, {size})"
        raise SpecMismatch([f"action {vector.theirs!r}: {wanted} here, {describe(array)} there"])
    if not np.isfinite(array).all():
        raise InvalidAction(f"action {vector.theirs!r} holds NaN or infinity")
    numbers = array.astype(np.float64)
    for slot, where in vector.bounds(spec):
        if (np.abs(numbers[:, where]) > _FAR * np.abs(slot.scale)).any():
            most = np.abs(numbers[:, where]).max()
            raise InvalidAction(f"action {vector.theirs!r}: {most:.4g} for {slot.words()}; is the unit right?")
    return numbers


def _joints(
    slot: Slot, values: np.ndarray, keymap: KeyMap, spec: BodySpec, observation: Observation, arm: Any
) -> np.ndarray:
    here = np.asarray(observation[keys.JOINT_POSITION], np.float64)
    if slot.part is Part.TOOL_STEPS:
        return _follow(values / slot.scale, observation[keys.TOOL_POSE], here, arm)
    ours = np.empty_like(values)
    ours[:, keymap.order(spec)] = values
    return joint_targets(slot, ours, here)


def _follow(steps: np.ndarray, tool_pose: np.ndarray, here: np.ndarray, arm: Any) -> np.ndarray:
    """(H, n) joint positions along steps of the tool (H, 6) m and rad in the base frame."""
    pose, poses = arm.fk(here), []
    for step in steps:
        pose = pose.copy()
        pose[:3, 3] += step[:3]
        pose[:3, :3] = cv2.Rodrigues(step[3:])[0] @ pose[:3, :3]
        poses.append(pose)
    return arm.track(poses, here)


def resampled(actions: np.ndarray, start: np.ndarray, from_s: float | None, to_s: float) -> np.ndarray:
    """(H', d) targets for every `to_s` seconds, of targets (H, d) for every `from_s`, on straight lines from `start`.

    The last one is the chunk's last target, which a step that goes beyond the chunk's end holds.
    """
    if from_s is None or abs(from_s - to_s) < 1e-9:
        return actions
    theirs = np.arange(len(actions) + 1) * from_s
    count = max(1, math.ceil(theirs[-1] / to_s - 1e-6))
    ours = np.arange(1, count + 1) * to_s
    through = np.vstack((start, actions))
    return np.column_stack([np.interp(ours, theirs, column) for column in through.T])


def within(actions: np.ndarray, spec: BodySpec, beyond_rad: float) -> np.ndarray:
    """The actions, clipped to the body's bounds. Raises `InvalidAction` where a joint is further out than allowed."""
    low, high = spec.action.low, spec.action.high
    out = np.maximum(low - actions, actions - high)[:, :-1]
    if out.max() > beyond_rad:
        row, joint = np.unravel_index(int(np.argmax(out)), out.shape)
        raise InvalidAction(
            f"action {row}: {spec.joint_names[joint]} = {actions[row, joint]:.4g}, bounds [{low[joint]:.4g}, "
            f"{high[joint]:.4g}]; is the unit right (radians, not degrees)?"
        )
    return np.clip(actions, low, high)


def from_body(
    keymap: KeyMap, spec: BodySpec, actions: np.ndarray, observation: Observation
) -> dict[str, np.ndarray]:
    """Inverse of `to_body` for a server: (H, n + 1) joint targets as the map's vectors, float64 (H, D).

    Raises:
        InvalidOption: the map speaks of the tool; Tandem's policies speak of joints.
    """
    here = np.asarray(observation[keys.JOINT_POSITION], np.float64)
    answer = {}
    for vector in keymap.action:
        columns = []
        for slot, _ in vector.bounds(spec):
            if slot.part is Part.TOOL_STEPS:
                raise InvalidOption(f"key map {keymap.name!r} cannot be served: its actions move the tool, not joints")
            theirs = as_joints(slot, actions[:, :-1], here)[:, keymap.order(spec)] if slot.part in JOINT_PARTS else (
                as_gripper(slot, actions[:, -1]))
            columns.append(theirs)
        answer[vector.theirs] = np.concatenate(columns, axis=1)
    return answer
