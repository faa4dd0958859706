"""Batches: drawn by number, so that the k-th batch of a seed is the same whenever it is asked for.

Augmentation moves the window around the point together with the point, as a planner's points are never the same twice;
changes light and colour of all windows alike; and now and then takes the point away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from tandem.bridge.contract import BodySpec, UnusableDataset
from tandem.policies.learned import senses
from tandem.policies.learned.eyes import GREY, About, Window
from tandem.policies.learned.layouts import Layout, encode, rotate
from tandem.policies.learned.manifest import Body, Manifest, Scale
from tandem.policies.learned.network import Lesson, Senses
from tandem.policies.learned.training.cache import Cached

_STATISTICS = 20_000  # frames, at most, from which the statistics come


@dataclass(frozen=True)
class Augment:
    """How much samples are varied.

    Attributes:
        light: range of brightness, contrast and each colour, as a share.
        point: share of samples whose point is taken away.
        near: pixels by which points are off, as a standard deviation, most of the time ...
        far: ... and as often as not 1 in 5 times, up to the window's margin.
        measured: deviation of noise on normalised measurements.
    """

    light: float = 0.15
    point: float = 0.04
    near: float = 1.5
    far: float = 6.0
    measured: float = 0.02


class Lessons:
    """Samples from cached episodes.

    Args:
        episodes: of one body.
        windows: as the cache holds them.
        layout: of the points.
        horizon: K, points of a chunk.
        stride: control steps from one to the next.

    Raises `UnusableDataset` when there are none, or they are of different bodies.
    """

    def __init__(
        self, episodes: Sequence[Cached], windows: Sequence[Window], layout: Layout, horizon: int, stride: int
    ):
        if not episodes:
            raise UnusableDataset("no episode holds a lesson: give logs of successful demonstrations with pictures")
        self._episodes, self._windows = tuple(episodes), tuple(windows)
        self._layout, self._horizon, self._stride = Layout(layout), horizon, stride
        self.spec = BodySpec.from_dict(episodes[0].spec)
        body = Body.of(self.spec, self._windows)
        for one in episodes:
            if differing := body.differences(BodySpec.from_dict(one.spec)):
                raise UnusableDataset(f"{one.source} is of another body than {episodes[0].source}: {differing[0]}")
        self._body = body
        counts = [len(one) for one in episodes]
        self._begins = np.cumsum([0, *counts])
        self._q, self._opening, self._tool, self._aim = (
            np.concatenate([getattr(one, name) for one in episodes]) for name in ("q", "opening", "tool", "aim")
        )
        stretches = np.cumsum([0, *(len(one.ends) for one in episodes)])
        steps = np.cumsum([0, *(len(one.actions) for one in episodes)])
        self._stretch = np.concatenate([one.stretch + base for one, base in zip(episodes, stretches, strict=False)])
        self._step = np.concatenate([one.step + base for one, base in zip(episodes, steps, strict=False)])
        self._ends = np.concatenate([one.ends + base for one, base in zip(episodes, steps, strict=False)])
        self._actions = np.concatenate([one.actions for one in episodes])
        self._tools = np.concatenate([one.tools for one in episodes])
        self.skills = tuple(sorted({skill for one in episodes for skill in one.skills}))
        self._said = [words for one in episodes for words in one.words]
        self._skill = np.array([self.skills.index(skill) for one in episodes for skill in one.skills])
        self.words = tuple(sorted({word for words in self._said for word in words}))
        self.vocabulary(self.skills, self.words)

    def __len__(self) -> int:
        return len(self._step)

    def vocabulary(self, skills: Sequence[str], words: Sequence[str]) -> None:
        """Number skills and words as a manifest does. Raises `UnusableDataset` for a skill that it does not name."""
        if missing := sorted(set(self.skills) - set(skills)):
            raise UnusableDataset(f"the policy was begun without {', '.join(missing)}: begin anew in another folder")
        order = np.array([list(skills).index(skill) for skill in self.skills])
        self._skill, self.skills = order[self._skill], tuple(skills)
        known = senses.numbered(words)
        self._words, self.words = np.array([senses.indices(said, known) for said in self._said]), tuple(words)

    def manifest(self, architecture: str, settings: dict) -> Manifest:
        """What a network that learns from this is made for."""
        some = np.random.default_rng(0).permutation(len(self))[:_STATISTICS]
        action = Scale.of(self.targets(some)[0], least=2e-3)
        state = Scale.of(self.states(some, self._aim[some]), least=1e-2)
        return Manifest(
            architecture, settings, self._layout, self._horizon, self._stride, self._body, self._windows,
            self.skills, self.words, action, state,
        )

    def targets(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(B, K, a) points, and (B,) share of the chunk after which the subgoal is done."""
        step, ends = self._step[rows], self._ends[self._stretch[rows]]
        ahead = step[:, None] + self._stride * np.arange(1, self._horizon + 1) - 1
        ahead = np.minimum(ahead, ends[:, None] - 1)
        points = encode(self._layout, self._q[rows], self._tool[rows], self._actions[ahead], self._tools[ahead])
        return points, np.minimum(1.0, (ends - step) / (self._horizon * self._stride))

    def states(self, rows: np.ndarray, aim: np.ndarray) -> np.ndarray:
        """(B, s) measurements, not normalised."""
        return senses.state(self._q[rows], self._opening[rows], self._tool[rows], aim)

    def lesson(self, rows: np.ndarray, manifest: Manifest, rng: np.random.Generator | None, augment: Augment) -> Lesson:
        """A batch; as it is without a generator, varied with one."""
        aim, offs = self._aim[rows].copy(), np.zeros((len(rows), 2), int)
        if rng is not None:
            offs = self._offsets(rng, len(rows), augment)
            aim = aim + _on_table(self._tool[rows], offs * self._point_window.pixel_m)
            aim[rng.random(len(rows)) < augment.point] = np.nan
        state = manifest.state.normalised(self.states(rows, aim))
        if rng is not None:
            state += rng.normal(0, augment.measured, state.shape).astype(np.float32)
        pictures = self._pictures(rows, aim, offs)
        if rng is not None:
            pictures = _relit(pictures, rng, augment.light)
        points, remaining = self.targets(rows)
        told = Senses(
            pictures, torch.from_numpy(state), torch.from_numpy(self._skill[self._stretch[rows]]),
            torch.from_numpy(self._words[self._stretch[rows]]),
        )
        return Lesson(told, torch.from_numpy(manifest.action.normalised(points)), torch.from_numpy(remaining).float())

    @property
    def _point_window(self) -> Window:
        around = [window for window in self._windows if window.about is About.POINT]
        return around[0] if around else self._windows[0]

    def _offsets(self, rng: np.random.Generator, count: int, augment: Augment) -> np.ndarray:
        """(B, 2) whole pixels by which the points are off."""
        most = self._point_window.margin
        deviation = np.where(rng.random((count, 1)) < 0.2, augment.far, augment.near)
        return np.clip(np.rint(rng.normal(0, 1, (count, 2)) * deviation), -most, most).astype(int)

    def _pictures(self, rows: np.ndarray, aim: np.ndarray, offs: np.ndarray) -> tuple[torch.Tensor, ...]:
        which = np.searchsorted(self._begins, rows, side="right") - 1
        seen = []
        for k, window in enumerate(self._windows):
            batch = np.empty((len(rows), window.height, window.width, 3), np.uint8)
            moves = window.about is About.POINT
            for i, (row, episode) in enumerate(zip(rows, which, strict=True)):
                if moves and not np.isfinite(aim[i]).all():
                    batch[i] = GREY
                    continue
                x, y = window.margin + (offs[i] if moves else np.zeros(2, int))
                frame = self._episodes[episode].frames[k][row - self._begins[episode]]
                batch[i] = frame[y : y + window.height, x : x + window.width]
            seen.append(torch.from_numpy(batch).permute(0, 3, 1, 2).float().div_(255))
        return tuple(seen)


def _on_table(tool: np.ndarray, ahead_m: np.ndarray) -> np.ndarray:
    """(B, 3) steps (B, 2) along a window's axes, in the base frame."""
    x = rotate(tool[:, 3:], np.array([1.0, 0.0, 0.0]))[:, :2]
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    y = np.stack([x[:, 1], -x[:, 0]], 1)
    return np.concatenate([x * ahead_m[:, :1] + y * ahead_m[:, 1:], np.zeros((len(tool), 1))], 1)


def _relit(pictures: tuple[torch.Tensor, ...], rng: np.random.Generator, light: float) -> tuple[torch.Tensor, ...]:
    """All windows of a sample in another light."""
    count = len(pictures[0])
    gain = rng.uniform(1 - light, 1 + light, (count, 1)) * rng.uniform(1 - light / 2, 1 + light / 2, (count, 3))
    shift = rng.uniform(-light / 3, light / 3, (count, 1))
    gain, shift = (torch.from_numpy(x).float()[:, :, None, None] for x in (gain, shift))
    return tuple(((picture - 0.5) * gain + 0.5 + shift).clamp_(0, 1) for picture in pictures)
