"""Every measurement and picture is a little wrong.

The noise is a function of the episode's seed, the time and the camera: it is the same whoever looks, and again after a
restore.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import mujoco
import numpy as np

from tandem.bridge.contract.observation import GRIPPER_OPENING, JOINT_POSITION, JOINT_VELOCITY, TIME, TOOL_POSE
from tandem.sim.disturbances.disturbance import Disturbance, Options

if TYPE_CHECKING:
    from tandem.sim.truth import Truth


@dataclass(frozen=True)
class NoiseOptions(Options):
    """Standard deviations. That of depth is for one metre and grows with the square of the distance, as in stereo."""

    joint_rad: float = 0.001
    speed_rad_s: float = 0.01
    opening: float = 0.002
    tool_m: float = 0.001
    tool_rad: float = 0.002
    depth_m: float = 0.0015
    rgb_levels: float = 3.0


class Noise(Disturbance):
    """Gaussian noise on joints, gripper, tool pose, depth and colours; the clock stays exact."""

    name = "noise"
    Options = NoiseOptions

    def reset(self, rng: np.random.Generator, truth: Truth) -> None:
        """Draw the seed of the noise."""
        self._seed, self._said, self._moment = int(rng.integers(2**62)), False, 0

    def _generator(self, source: str) -> np.random.Generator:
        return np.random.default_rng([self._seed, self._moment, zlib.crc32(source.encode())])

    def strike(self, truth: Truth) -> str | None:
        """Say so, once."""
        first, self._said = not self._said, True
        return "measurements and pictures are noisy" if first else None

    def measured(self, measured: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Noise on everything but the time."""
        self._moment = round(float(measured[TIME][0]) * 1e6)
        rng, options = self._generator("measured"), self.options
        noisy = dict(measured)
        deviations = {
            JOINT_POSITION: options.joint_rad, JOINT_VELOCITY: options.speed_rad_s, GRIPPER_OPENING: options.opening,
        }
        for key, deviation in deviations.items():
            noisy[key] = measured[key] + rng.normal(0, deviation, measured[key].shape)
        pose = measured[TOOL_POSE].copy()
        pose[:3] += rng.normal(0, options.tool_m, 3)
        mujoco.mju_quatIntegrate(pose[3:], rng.normal(0, options.tool_rad, 3), 1.0)
        noisy[TOOL_POSE] = pose
        return noisy

    def picture(self, camera: str, rgb: np.ndarray, depth: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
        """Noise on each pixel; where there is no depth there is none still."""
        rng = self._generator(camera)
        noise = rng.standard_normal(rgb.shape, np.float32) * np.float32(self.options.rgb_levels)
        coloured = np.clip(np.rint(rgb + noise), 0, 255).astype(np.uint8)
        if depth is None:
            return coloured, None
        deviation = np.float32(self.options.depth_m) * depth**2
        return coloured, np.maximum(depth + deviation * rng.standard_normal(depth.shape, np.float32), 0)
