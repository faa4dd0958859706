"""What a disturbance may change: the world between two steps, a command, a measurement, a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tandem.sim.truth import Truth


class Disturbance:
    """Changes nothing; subclasses change one thing each.

    Attributes:
        name: as on the command line.
    """

    name = "none"

    def reset(self, rng: np.random.Generator) -> None:
        """A new episode begins; everything random comes from `rng`."""

    def strike(self, truth: Truth) -> str | None:
        """After a control step: change the world and say what happened, or None."""
        return None

    def command(self, action: np.ndarray) -> np.ndarray:
        """What reaches the robot instead of the action."""
        return action

    def measured(self, measured: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """What is measured instead."""
        return measured

    def picture(self, camera: str, rgb: np.ndarray, depth: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
        """What the camera gives instead."""
        return rgb, depth
