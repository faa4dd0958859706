"""Frames of a camera are lost on their way: it shows the one before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tandem.bridge.contract import InvalidOption
from tandem.sim.disturbances.disturbance import Disturbance, Options

if TYPE_CHECKING:
    from tandem.sim.truth import Truth


@dataclass(frozen=True)
class DroppedFramesOptions(Options):
    """Which camera, how likely each of its frames is lost, and how many control steps each loss lasts."""

    camera: str = "front"
    p: float = 0.2
    steps: int = 3

    def __post_init__(self):
        super().__post_init__()
        if self.p > 1 or self.steps < 1:
            raise InvalidOption(f"p is a probability and steps at least 1, got p={self.p}, steps={self.steps}")


class DroppedFrames(Disturbance):
    """With probability p a frame is the last that arrives for some control steps: it is shown instead of them.

    The first frame of an episode always arrives, and so does the one after a loss.
    """

    name = "dropped_frames"
    Options = DroppedFramesOptions

    def reset(self, rng: np.random.Generator, truth: Truth) -> None:
        """Nothing is lost yet. Raises `UnknownName` when the body has no such camera."""
        truth.camera_size(self.options.camera)
        self._rng, self._kept, self._left, self._said = rng, None, 0, False

    def strike(self, truth: Truth) -> str | None:
        """Decide about the frames to come, and keep the one that is shown meanwhile."""
        if self._left > 0:
            self._left -= 1
            return None
        self._kept = None
        if self._rng.random() >= self.options.p:
            return None
        self._kept, self._left = truth.look(self.options.camera), self.options.steps
        first, self._said = not self._said, True
        return f"frames of the {self.options.camera} camera get lost" if first else None

    def picture(self, camera: str, rgb: np.ndarray, depth: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
        """The last that arrived, while others are lost."""
        if camera != self.options.camera or self._kept is None:
            return rgb, depth
        return self._kept[0].copy(), None if depth is None else self._kept[1].copy()
