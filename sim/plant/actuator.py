"""The drives between a setpoint and the joints: a transport delay, a first-order lag, and brakes.

A position servo with such a lag is what controllers of real arms look like from outside; a policy or a servo loop that
works only on an arm that obeys at once is found out here.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from tandem.bridge.contract import BodySpec

DELAY_TICKS = 2
LAG_S = 0.008
BRAKE_SHARE = 0.95  # of the acceleration limit: sampled positions keep to it in their differences, too


class Actuator:
    """Where the drives take the arm; see the module.

    Args:
        spec: its limits.
        tick_s: seconds from one setpoint to the next.

    Attributes:
        action: (n + 1,) joint positions in rad and the gripper's opening: what the joints' servos are told now.
        velocity: (n,) of its joints, rad/s.
    """

    def __init__(self, spec: BodySpec, tick_s: float):
        self._tick_s, self._step = tick_s, 1.0 - np.exp(-tick_s / LAG_S)
        self._low, self._high, self._fastest = spec.position_low, spec.position_high, spec.velocity_limit
        self._slower = BRAKE_SHARE * spec.acceleration_limit * tick_s  # velocity that a brake takes in a tick
        self.rest_at(np.append(spec.home, 1.0))

    def rest_at(self, action: np.ndarray) -> None:
        """Stand at (n + 1,), with nothing under way."""
        self.action, self.velocity = np.array(action), np.zeros(len(action) - 1)
        self._under_way = deque([self.action] * DELAY_TICKS)

    @property
    def standing(self) -> bool:
        """Whether it stands."""
        return not self.velocity.any()

    def follow(self, target: np.ndarray) -> np.ndarray:
        """One tick towards a new setpoint (n + 1,). Returns `action`."""
        self._under_way.append(target)
        before = self.action
        self.action = before + self._step * (self._under_way.popleft() - before)
        self.velocity = (self.action - before)[:-1] / self._tick_s
        return self.action

    def brake(self) -> np.ndarray:
        """One tick of the quickest stop that the acceleration limits allow; fingers stay. Returns `action`."""
        if not self.standing:
            velocity = np.clip(self.velocity, -self._fastest, self._fastest)
            self.velocity = np.sign(velocity) * np.maximum(np.abs(velocity) - self._slower, 0.0)
            joints = np.clip(self.action[:-1] + self.velocity * self._tick_s, self._low, self._high)
            self.action = np.append(joints, self.action[-1])
        self._under_way = deque([self.action] * DELAY_TICKS)
        return self.action
