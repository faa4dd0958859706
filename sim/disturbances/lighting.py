"""The light is another one: brighter or darker, tinted, from another side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import mujoco
import numpy as np

from tandem.sim.disturbances.disturbance import Disturbance, Options

if TYPE_CHECKING:
    from tandem.sim.truth import Truth


@dataclass(frozen=True)
class LightingOptions(Options):
    """Brightness relative to what it was (darker or brighter, as likely), tint of each colour, tilt of the lamp."""

    darker: float = 0.5
    brighter: float = 1.6
    tint: float = 0.15
    tilt_rad: float = 0.5


class Lighting(Disturbance):
    """For the whole episode; pictures differ, depth does not, and no state differs for it."""

    name = "lighting"
    Options = LightingOptions
    alters_view = True

    def reset(self, rng: np.random.Generator, truth: Truth) -> None:
        """Change the lights of this world."""
        options, model = self.options, truth.world.model
        self._before = [light.copy() for light in _lights(model)]
        self._brightness = float(rng.choice([options.darker, options.brighter]))
        colour = self._brightness * (1 + rng.uniform(-options.tint, options.tint, 3))
        model.vis.headlight.ambient *= colour
        model.vis.headlight.diffuse *= colour
        model.light_diffuse *= colour
        axis = rng.uniform(0, 2 * np.pi)
        turn = np.empty(4)
        mujoco.mju_axisAngle2Quat(turn, np.array([np.cos(axis), np.sin(axis), 0.0]), options.tilt_rad)
        for light in range(model.nlight):
            mujoco.mju_rotVecQuat(model.light_dir[light], model.light_dir[light].copy(), turn)
        mujoco.mj_camlight(model, truth.world.data)
        self._said = False

    def leave(self, truth: Truth) -> None:
        """As it was."""
        for light, before in zip(_lights(truth.world.model), self._before, strict=True):
            light[:] = before
        mujoco.mj_camlight(truth.world.model, truth.world.data)

    def strike(self, truth: Truth) -> str | None:
        """Say so, once."""
        first, self._said = not self._said, True
        return f"the light is {self._brightness:g} times as bright, tinted, and from another side" if first else None


def _lights(model: mujoco.MjModel) -> tuple[np.ndarray, ...]:
    """What of a model is changed, to be written to."""
    return model.vis.headlight.ambient, model.vis.headlight.diffuse, model.light_diffuse, model.light_dir
