"""What the arm's own sensors say: a little noise always, and on request readings that stand still."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tandem.bridge.contract.observation import GRIPPER_OPENING, JOINT_POSITION, JOINT_VELOCITY
from tandem.sim.disturbances import Disturbance
from tandem.sim.plant.scenario import changes
from tandem.sim.world import World

POSITION_RAD, VELOCITY_RAD_S = 5e-5, 2e-3  # standard deviations


class Encoders:
    """Reads a world.

    Args:
        dof: joints of the arm, n.
        disturbances: those of the world.
    """

    def __init__(self, dof: int, disturbances: Sequence[Disturbance]):
        self._disturbances = [d for d in disturbances if changes(d, "measured")]
        self._deviations = np.repeat([POSITION_RAD, VELOCITY_RAD_S], dof)
        self._dof, self._silent_until, self._stuck_until, self._stuck_at = dof, 0, 0, 0.0
        self.reset(0)

    def reset(self, seed: int) -> None:
        """A new world: noise drawn from its seed, and every sensor sound."""
        self._rng = np.random.default_rng([seed, 0x656E63])
        self._silent_until = self._stuck_until = 0

    def freeze(self, until: int) -> None:
        """No measurement until then, ns."""
        self._silent_until = until

    def stick(self, world: World, until: int) -> None:
        """The first joint's reading stays as it is until then, ns."""
        self._stuck_at, self._stuck_until = float(world.measured()[JOINT_POSITION][0]), until

    def read(self, world: World, now: int) -> tuple[np.ndarray, np.ndarray, float] | None:
        """Positions (n,) rad, velocities (n,) rad/s and opening, at `now` ns; None while there is no measurement."""
        if now < self._silent_until:
            return None
        measured = world.measured()
        for disturbance in self._disturbances:
            measured = disturbance.measured(measured)
        noise = self._deviations * self._rng.standard_normal(2 * self._dof)
        position = measured[JOINT_POSITION] + noise[: self._dof]
        velocity = measured[JOINT_VELOCITY] + noise[self._dof :]
        if now < self._stuck_until:
            position[0], velocity[0] = self._stuck_at, 0.0
        return position, velocity, float(measured[GRIPPER_OPENING][0])
