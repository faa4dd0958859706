"""What every learned network is given and gives: the interface between networks and everything else.

All numbers are normalised on this side of the interface; what they stand for, the manifest knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Generator, Tensor


@dataclass(frozen=True)
class Shapes:
    """The sizes that a network is made for.

    Attributes:
        horizon: K, points of a chunk.
        action: a, numbers of a point.
        state: s, numbers of what is measured.
        pictures: height and width of each window, in the manifest's order.
        skills: how many skills there are.
        words: how many words are known, those with a meaning of their own (none, unknown) included.
        length: L, most words of a subgoal.
    """

    horizon: int
    action: int
    state: int
    pictures: tuple[tuple[int, int], ...]
    skills: int
    words: int
    length: int


@dataclass(frozen=True, eq=False)
class Senses:
    """A batch of what a policy senses.

    Attributes:
        pictures: (B, 3, h, w) of each window, RGB in 0..1.
        state: (B, s) normalised measurements, and where the subgoal's point is.
        skill: (B,) index of the skill, int64.
        words: (B, L) indices of the subgoal's words, 0 behind the last, int64.
    """

    pictures: tuple[Tensor, ...]
    state: Tensor
    skill: Tensor
    words: Tensor

    def __len__(self) -> int:
        return len(self.state)

    def to(self, *args: object, **kwargs: object) -> Senses:
        """On another device."""
        move = [picture.to(*args, **kwargs) for picture in self.pictures]
        return Senses(tuple(move), *(x.to(*args, **kwargs) for x in (self.state, self.skill, self.words)))


@dataclass(frozen=True, eq=False)
class Answer:
    """What a network makes of one observation.

    Attributes:
        actions: (S, K, a) normalised chunks; the first is the one to carry out.
        remaining: (1,) share of the chunk after which the subgoal is done, 1 when that lies beyond it.
        confidence: (1,) 0..1.
    """

    actions: Tensor
    remaining: Tensor
    confidence: Tensor


@dataclass(frozen=True, eq=False)
class Lesson:
    """A batch to learn from.

    Attributes:
        senses: what was sensed.
        actions: (B, K, a) normalised, what the demonstrator wanted; past the subgoal's end its last action.
        remaining: (B,) share of the chunk after which the subgoal is done, at most 1.
    """

    senses: Senses
    actions: Tensor
    remaining: Tensor

    def to(self, *args: object, **kwargs: object) -> Lesson:
        """On another device."""
        return Lesson(self.senses.to(*args, **kwargs), *(x.to(*args, **kwargs) for x in (self.actions, self.remaining)))


@runtime_checkable
class Network(Protocol):
    """A `torch.nn.Module` whose constructor takes (shapes, config); see `architectures`.

    Attributes:
        shapes: what it is made for.
    """

    shapes: Shapes

    def answer(self, told: Senses, generator: Generator) -> Answer:
        """What to do, for a batch of one; what is random comes from the generator (of the CPU)."""

    def loss(self, lesson: Lesson, generator: Generator) -> tuple[Tensor, Mapping[str, Tensor]]:
        """What is to be made small, and figures for the log, scalars all."""
