"""One motion: what a skill asks for next."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Motion:
    """A stretch of actions that begins where the last command ended.

    Attributes:
        actions: (T, n + 1) joint positions and gripper opening, one per control step, T >= 1.
        phase: what it is for, in a word.
        look: steps between looks at the body, None for the policy's own horizon.
        until: asked at every look; the rest is dropped as soon as it says True.
        loaded: contact is expected, so that a lag behind the command is no failure to follow.
    """

    actions: np.ndarray
    phase: str
    look: int | None = None
    until: Callable[[], bool] | None = None
    loaded: bool = False


Moves = Generator[Motion, None, None]
"""A skill or a part of one: yields motions, and is resumed once the mover has seen what came of the last."""
