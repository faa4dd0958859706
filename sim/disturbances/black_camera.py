"""A camera goes black for a while."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tandem.sim.disturbances.disturbance import Disturbance, Options
from tandem.sim.disturbances.window import Window

if TYPE_CHECKING:
    from tandem.sim.truth import Truth


@dataclass(frozen=True)
class BlackCameraOptions(Options):
    """Which camera, when, and for how long."""

    NEEDED = ("lasting_s",)
    camera: str = "front"
    earliest_s: float = 0.2
    latest_s: float = 3.0
    lasting_s: float = 3.0


class BlackCamera(Disturbance):
    """For some seconds the camera gives black and measures no depth (0)."""

    name = "black_camera"
    Options = BlackCameraOptions

    def reset(self, rng: np.random.Generator, truth: Truth) -> None:
        """Draw the time. Raises `UnknownName` when the body has no such camera."""
        options = self.options
        truth.camera_size(options.camera)
        now_s = float(truth.world.data.time)
        self._window = Window(rng, now_s, options.earliest_s, options.latest_s, options.lasting_s)

    def strike(self, truth: Truth) -> str | None:
        """Say when it begins and ends."""
        edge = self._window.edge(float(truth.world.data.time))
        words = {"begin": "has gone black", "end": "sees again"}
        return None if edge is None else f"the {self.options.camera} camera {words[edge]}"

    def picture(self, camera: str, rgb: np.ndarray, depth: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
        """Nothing, while it lasts."""
        if camera != self.options.camera or not self._window.open:
            return rgb, depth
        return np.zeros_like(rgb), None if depth is None else np.zeros_like(depth)
