"""What a task is: it puts things into a scene and says what is to be done with them, when it is done, and what is left.

A task is one file. `sample` draws a world from a random generator, so that a seed determines everything; the
`Challenge` that it returns is stateless: `remaining` is a function of the world as it is, so that planning again after
a failure or a disturbance is calling it again.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Protocol

import numpy as np

from tandem.bridge.contract import InvalidOption
from tandem.sim.scene import Scene

if TYPE_CHECKING:
    from tandem.bridge.contract import Subgoal
    from tandem.sim.truth import Truth


@dataclass(frozen=True)
class Wish:
    """What is asked of a task for one episode.

    Attributes:
        difficulty: 0 easy .. 1 hard (more objects, more distractors, tighter).
        feasible: False asks for an instruction that cannot be carried out.
        instruction: a user's own words, None to let the task phrase one. Raises `InvalidOption` if not understood.
    """

    difficulty: float = 0.5
    feasible: bool = True
    instruction: str | None = None

    def __post_init__(self):
        if not (isinstance(self.difficulty, Real) and 0.0 <= self.difficulty <= 1.0):
            raise InvalidOption(f"difficulty must lie between 0 (easy) and 1 (hard), got {self.difficulty!r}")
        if not isinstance(self.feasible, bool | np.bool_):
            raise InvalidOption(f"feasible is True or False, got {self.feasible!r}")
        if not isinstance(self.instruction, str | None):
            raise InvalidOption(f"an instruction is text, got {self.instruction!r}")
        if self.instruction is not None and not self.instruction.strip():
            raise InvalidOption("the instruction is empty; say what is to be done, or leave it out for the task's own")


class Challenge(Protocol):
    """A goal in one sampled world.

    Attributes:
        instruction: in plain words.
        infeasible: why it cannot be carried out, None if it can.
    """

    instruction: str
    infeasible: str | None

    def success(self, truth: Truth) -> bool:
        """Whether it is carried out now."""

    def progress(self, truth: Truth) -> float:
        """How much of it is, 0 to 1."""

    def remaining(self, truth: Truth) -> tuple[Subgoal, ...]:
        """The subgoals that are left from the present state; empty when there is nothing more to do."""

    def update(self, truth: Truth) -> None:
        """Called after every control step; may latch facts in `MjData.userdata`, nothing else."""


class Task(Protocol):
    """A family of challenges.

    Attributes:
        name: as on the command line, "pick_place".
        summary: one line.
        phrasings: templates of the instruction, `str.format` style.
        horizon_s: body time after which an episode of it is hopeless.
    """

    name: str
    summary: str
    phrasings: tuple[str, ...]
    horizon_s: float

    def sample(self, scene: Scene, rng: np.random.Generator, wish: Wish) -> Challenge:
        """Add things to the scene and say what to do with them."""
