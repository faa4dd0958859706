"""A camera was bumped: it looks from a little beside where everybody believes it to be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import mujoco
import numpy as np

from tandem.sim.cameras import camera_id
from tandem.sim.disturbances.disturbance import Disturbance, Options

if TYPE_CHECKING:
    from tandem.sim.truth import Truth


@dataclass(frozen=True)
class CameraShiftOptions(Options):
    """Which camera, how far it was moved, and by which angle it was turned; in a direction that is drawn."""

    camera: str = "front"
    shift_m: float = 0.02
    turn_rad: float = 0.02


class CameraShift(Disturbance):
    """For the whole episode the camera is elsewhere; what the body declares of it stays. No state differs for it."""

    name = "camera_shift"
    Options = CameraShiftOptions
    alters_view = True

    def reset(self, rng: np.random.Generator, truth: Truth) -> None:
        """Move it. Raises `UnknownName` when the body has no such camera."""
        options, world = self.options, truth.world
        truth.camera_size(options.camera)
        index = self._index = camera_id(world.model, options.camera)
        self._before = world.model.cam_pos[index].copy(), world.model.cam_quat[index].copy()
        self._shift = options.shift_m * _direction(rng)
        world.model.cam_pos[index] += self._shift
        quat = world.model.cam_quat[index].copy()
        mujoco.mju_quatIntegrate(quat, _direction(rng), options.turn_rad)
        world.model.cam_quat[index] = quat
        mujoco.mj_camlight(world.model, world.data)
        self._said = False

    def leave(self, truth: Truth) -> None:
        """Move it back."""
        model = truth.world.model
        model.cam_pos[self._index], model.cam_quat[self._index] = self._before
        mujoco.mj_camlight(model, truth.world.data)

    def strike(self, truth: Truth) -> str | None:
        """Say so, once."""
        if self._said:
            return None
        self._said = True
        by = ", ".join(f"{1000 * metre:+.0f}" for metre in self._shift)
        return f"the {self.options.camera} camera is shifted by ({by}) mm and turned by {self.options.turn_rad:g} rad"


def _direction(rng: np.random.Generator) -> np.ndarray:
    """(3,) of length one, any direction as likely as any other."""
    drawn = rng.normal(size=3)
    return drawn / np.linalg.norm(drawn)
