"""Batches for pi0 from cached episodes: drawn by number, so that the k-th batch of a seed is always the same.

The cache holds every picture in the size that the model looks at, without the black frame; `resize_with_pad` made the
same of it while the arm moved. State and actions are written by the key map, as they are when the model drives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tandem.bridge.contract import BodySpec, InvalidOption, UnusableDataset
from tandem.bridge.contract import observation as keys
from tandem.policies.learned.eyes import About, Window
from tandem.policies.learned.training.cache import Cached
from tandem.policies.remote.actions import from_body
from tandem.policies.remote.mapping import KeyMap
from tandem.policies.remote.parts import measured
from tandem.policies.vla.reader import Reader
from tandem.policies.vla.statistics import Scale, Statistics

_SAME = ("robot", "joint_names", "control_hz")
_STATISTICS = 2000  # frames, at most, from which the statistics come


@dataclass(frozen=True, eq=False)
class Batch:
    """Samples, on the CPU.

    Attributes:
        tokens: (B, P).
        told: (B, P).
        pixels: uint8 (B, C, h, w, 3).
        state: (B, S) scaled and padded.
        actions: (B, K, A) likewise.
        noise: (B, K, A).
        times: (B,) of the model's flow, 1 noise to 0 actions.
    """

    tokens: Tensor
    told: Tensor
    pixels: Tensor
    state: Tensor
    actions: Tensor
    noise: Tensor
    times: Tensor


def windows_of(keymap: KeyMap, spec: BodySpec) -> tuple[Window, ...]:
    """What is cached of each camera of the key map: the whole picture, without a frame."""
    found = []
    for key in keymap.cameras:
        camera, (width, height) = spec.camera(key.ours), key.size
        ratio = max(camera.width / width, camera.height / height)
        found.append(Window(key.ours, About.ALL, max(1, int(camera.width / ratio)), max(1, int(camera.height / ratio))))
    return tuple(found)


class Lessons:
    """Samples from cached episodes of one body.

    Args:
        episodes: with the windows of `windows_of`.
        keymap: what is called what.
        reader: of the model.
        horizon: K, actions of a chunk.
        times: alpha, beta, scale and offset of the times, from the model's configuration.

    Attributes:
        spec: of the body.
        skills: that are shown, sorted.
        ends: whether there is a number to spare that says when a subgoal is over.

    Raises:
        UnusableDataset: there are none, of different bodies, or they lack what the key map needs.
        InvalidOption: the key map's rate is not the body's or a whole fraction of it.
    """

    def __init__(
        self, episodes: Sequence[Cached], keymap: KeyMap, reader: Reader, horizon: int, width: int,
        times: tuple[float, float, float, float],
    ):
        if not episodes:
            raise UnusableDataset("no episode holds a lesson: give logs of successful demonstrations with pictures")
        self.spec = BodySpec.from_dict(episodes[0].spec)
        self._check(episodes)
        self._episodes, self._keymap, self._reader, self._horizon = tuple(episodes), keymap, reader, horizon
        self._times, self._width = times, width
        self._stride = _stride(keymap, self.spec)
        self._begins = np.cumsum([0, *(len(one) for one in episodes)])
        self.skills = tuple(sorted({skill for one in episodes for skill in one.skills}))
        self._states = np.concatenate([self._measured(one) for one in episodes])
        self._size = sum(vector.size(self.spec) for vector in keymap.action)
        self.ends = self._size < width

    def __len__(self) -> int:
        return int(self._begins[-1])

    def statistics(self) -> Statistics:
        """Of the states and actions in these lessons."""
        rows = np.sort(np.random.default_rng(0).permutation(len(self))[:_STATISTICS])
        actions = np.concatenate([self._wanted(row)[0] for row in rows])
        return Statistics(Scale.of(self._states, 1e-2), Scale.of(actions, 2e-3), "the training data")

    def batch(self, rng: np.random.Generator, size: int, scales: Statistics) -> Batch:
        """A batch of so many samples."""
        rows = rng.integers(0, len(self), size)
        shown = [self._shown(row) for row in rows]
        words = [self._reader.tokens(said, len(self._keymap.cameras)) for said, _ in shown]
        actions = np.stack([self._target(row, scales) for row in rows])
        shape = (size, self._horizon, self._width)
        alpha, beta, scale, offset = self._times
        return Batch(
            torch.cat([tokens for tokens, _ in words]), torch.cat([told for _, told in words]),
            torch.from_numpy(np.stack([pictures for _, pictures in shown])),
            self._reader.padded(scales.state.scaled(self._states[rows]), "state"),
            self._reader.padded(actions, "action"), torch.from_numpy(rng.standard_normal(shape, np.float32)),
            torch.from_numpy((rng.beta(alpha, beta, size) * scale + offset).astype(np.float32)),
        )

    def _target(self, row: int, scales: Statistics) -> np.ndarray:
        """(K, D) scaled, and with `ends` one number more: 1 once the subgoal is over, -1 before."""
        actions, over = self._wanted(row)
        scaled = scales.action.scaled(actions)
        return np.column_stack((scaled, np.where(over, 1.0, -1.0))) if self.ends else scaled

    def _wanted(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """(K, D) actions in the model's terms, and (K,) whether the subgoal is over with each."""
        one, frame = self._place(row)
        last = one.ends[one.stretch[frame]] - 1
        ahead = one.step[frame] + self._stride * np.arange(1, self._horizon + 1) - 1
        here = {keys.JOINT_POSITION: one.q[frame]}
        chunk = from_body(self._keymap, self.spec, one.actions[np.minimum(ahead, last)], here)
        return np.concatenate([chunk[vector.theirs] for vector in self._keymap.action], axis=1), ahead >= last

    def _shown(self, row: int) -> tuple[str, np.ndarray]:
        """Words, and pictures (C, h, w, 3) in their black frames."""
        one, frame = self._place(row)
        side = self._reader.side
        pictures = np.zeros((len(one.frames), side, side, 3), np.uint8)
        for picture, frames in zip(pictures, one.frames, strict=True):
            h, w = frames.shape[1:3]
            top, left = (side - h) // 2, (side - w) // 2
            picture[top:top + h, left:left + w] = frames[frame]
        return one.sentences[one.stretch[frame]], pictures

    def _place(self, row: int) -> tuple[Cached, int]:
        which = int(np.searchsorted(self._begins, row, side="right")) - 1
        return self._episodes[which], int(row - self._begins[which])

    def _measured(self, one: Cached) -> np.ndarray:
        """(F, S) in the unit and order of the key map."""
        order, slots = self._keymap.order(self.spec), [s for vector in self._keymap.state for s in vector.slots]
        rows = []
        for q, opening, tool in zip(one.q, one.opening, one.tool, strict=True):
            seen: Mapping[str, np.ndarray] = {
                keys.JOINT_POSITION: q, keys.GRIPPER_OPENING: np.atleast_1d(opening), keys.TOOL_POSE: tool}
            try:
                rows.append(np.concatenate([measured(slot, seen, self.spec, order) for slot in slots]))
            except KeyError as missing:
                raise UnusableDataset(f"a cached episode has no {missing}, which key map {self._keymap.name!r} sends: "
                                      "a state can be of joints, gripper and the tool's pose") from None
        return np.array(rows)

    def _check(self, episodes: Sequence[Cached]) -> None:
        for one in episodes:
            other = BodySpec.from_dict(one.spec)
            if any(getattr(other, name) != getattr(self.spec, name) for name in _SAME):
                raise UnusableDataset(f"{one.source} is of another body than {episodes[0].source}: {other.robot} at "
                                      f"{other.control_hz:g} Hz")
            if not one.sentences:
                raise UnusableDataset(f"the cached {one.source} lacks its words: use another --cache")


def _stride(keymap: KeyMap, spec: BodySpec) -> int:
    ratio = (keymap.dt_s or spec.dt_s) / spec.dt_s
    if abs(ratio - round(ratio)) > 1e-6 or round(ratio) < 1:
        raise InvalidOption(f"key map {keymap.name!r}: its actions must come at the data's {spec.control_hz:g} Hz or a "
                            "whole fraction of it")
    return round(ratio)
