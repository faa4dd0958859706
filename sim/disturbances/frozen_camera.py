"""A camera repeats one picture for a while."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tandem.sim.disturbances.disturbance import Disturbance, Options
from tandem.sim.disturbances.window import Window

if TYPE_CHECKING:
    from tandem.sim.truth import Truth


@dataclass(frozen=True)
class FrozenCameraOptions(Options):
    """Which camera, when, and for how long."""

    NEEDED = ("lasting_s",)
    camera: str = "front"
    earliest_s: float = 0.2
    latest_s: float = 3.0
    lasting_s: float = 3.0


class FrozenCamera(Disturbance):
    """From some moment on the camera gives the picture of that moment, with its depth, for some seconds."""

    name = "frozen_camera"
    Options = FrozenCameraOptions

    def reset(self, rng: np.random.Generator, truth: Truth) -> None:
        """Draw the time. Raises `UnknownName` when the body has no such camera."""
        options, self._kept = self.options, None
        truth.camera_size(options.camera)
        now_s = float(truth.world.data.time)
        self._window = Window(rng, now_s, options.earliest_s, options.latest_s, options.lasting_s)

    def strike(self, truth: Truth) -> str | None:
        """Take the picture that will be repeated, or let go of it."""
        edge = self._window.edge(float(truth.world.data.time))
        if edge == "begin":
            self._kept = truth.look(self.options.camera)
            return f"the {self.options.camera} camera is frozen"
        if edge == "end":
            self._kept = None
            return f"the {self.options.camera} camera is live again"
        return None

    def picture(self, camera: str, rgb: np.ndarray, depth: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
        """The kept picture while it is frozen."""
        if camera != self.options.camera or self._kept is None:
            return rgb, depth
        return self._kept[0].copy(), None if depth is None else self._kept[1].copy()
