"""What the policy remembers from one subgoal to the next: what is in the hand, and what stands where.

A plan is a sequence of subgoals and the policy forgets its skill between them, but not what it holds: `place` must know
how far the object reaches below the tool.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np

from tandem.bridge.contract import Target


@dataclass(frozen=True, eq=False)
class Held:
    """The object in the hand.

    Attributes:
        words: what it was called when it was taken.
        below_m: from the tool down to its bottom.
        size: (3,) its extents along its own axes.
        yaw_offset_rad: its own x axis relative to the closing direction.
        aside_m: its middle along the tool's y.
    """

    words: str
    below_m: float
    size: np.ndarray
    yaw_offset_rad: float
    aside_m: float = 0.0

    @property
    def extents(self) -> tuple[float, float]:
        """Its extents along the closing direction and across it, m (its axes are parallel to the fingers')."""
        turned = abs(np.sin(self.yaw_offset_rad)) > 0.7
        along, across = (self.size[1], self.size[0]) if turned else (self.size[0], self.size[1])
        return float(along), float(across)


@runtime_checkable
class Remembering(Protocol):
    """A source of targets that can be told where the policy has put a thing."""

    def moved(self, words: str, target: Target) -> None:
        """It is there now."""

    def forget(self) -> None:
        """A new episode: nothing of the last one holds."""

    def doubt(self, words: str) -> None:
        """It was not where it was believed to be: only a look tells where it is."""


@dataclass
class Memory:
    """Lives as long as the policy does."""

    held: Held | None = None
    command: np.ndarray | None = None  # (n + 1,) the last action handed out
    landmarks: dict[str, Target] = field(default_factory=dict)  # where things were seen, by their words

    def forget(self) -> None:
        """A new episode: nothing of the last one holds."""
        self.held = self.command = None
        self.landmarks.clear()

    def see(self, words: str, target: Target) -> None:
        """Remember where a thing is."""
        self.landmarks[words] = target

    def take(self, held: Held) -> None:
        """Remember what is in the hand; it stands no longer where it was."""
        self.held = held
        self.landmarks.pop(held.words, None)

    def standing(self) -> np.ndarray:
        """(N, 3) corners and middles of the tops of what is remembered, as a camera would see them."""
        return np.concatenate([np.zeros((0, 3)), *(_top(target) for target in self.landmarks.values())])

    def highest_near(self, start: np.ndarray, goal: np.ndarray, width_m: float) -> float:
        """Height of the highest thing remembered within `width_m` of the straight line between two points (2,)."""
        heights = [
            target.rim_z_m
            for target in self.landmarks.values()
            if _distance_to_segment(target.surface[:2], start, goal) < width_m + 0.5 * float(max(target.size[:2]))
        ]
        return max(heights, default=0.0)


def _top(target: Target) -> np.ndarray:
    cosine, sine = np.cos(target.yaw_rad), np.sin(target.yaw_rad)
    grid = np.array([[x, y, 0.0] for x in (-0.5, 0.0, 0.5) for y in (-0.5, 0.0, 0.5)]) * [*target.size[:2], 0.0]
    return target.surface + grid @ np.array([[cosine, sine, 0.0], [-sine, cosine, 0.0], [0.0, 0.0, 1.0]])


def _distance_to_segment(point: np.ndarray, start: np.ndarray, goal: np.ndarray) -> float:
    along = goal - start
    fraction = np.clip((point - start) @ along / max(float(along @ along), 1e-12), 0.0, 1.0)
    return float(np.linalg.norm(start + fraction * along - point))
