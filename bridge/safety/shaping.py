"""Velocity, acceleration and jerk limits, and a stop that always fits inside the range. Ruckig, state to state.

The stage keeps one invariant: from the setpoint that it gives out, a full stop at the declared limits ends inside the
position range. A step that would break it is replaced, joint by joint, by the next piece of that very stop, which
keeps it. So no stream of references, however wild, can make the arm leave its range or exceed a limit.
"""

from __future__ import annotations

import numpy as np
from ruckig import ControlInterface, InputParameter, OutputParameter, Ruckig, RuckigError, Synchronization, Trajectory

from tandem.bridge.contract.errors import TandemError
from tandem.bridge.contract.spec import BodySpec

SHARE = 0.98  # of each limit is used: sampled setpoints keep to the limits in their differences, too
RANGE_MARGIN = 1e-4  # rad (or m) kept free at either end of the range
STANDING = 1e-6  # rad/s and rad/s^2 below which a setpoint stands


class NoStop(TandemError):
    """No stop within the limits was found; the driver's own has to do."""


class Shaper:
    """Turns references into setpoints that the limits allow.

    Args:
        spec: the limits.
        tick_s: seconds from one setpoint to the next.

    Attributes:
        position: (n,) rad, the last setpoint.
        velocity: (n,) rad/s.
        acceleration: (n,) rad/s^2.
    """

    def __init__(self, spec: BodySpec, tick_s: float):
        n = spec.dof
        self.tick_s = tick_s
        self.low, self.high = spec.position_low + RANGE_MARGIN, spec.position_high - RANGE_MARGIN
        self._v, self._a = SHARE * spec.velocity_limit, SHARE * spec.acceleration_limit
        self._j = SHARE * spec.jerk_limit
        self._ruckig, self._stopping = Ruckig(n, tick_s), Trajectory(n)
        self._chase, self._brake, self._next = InputParameter(n), InputParameter(n), OutputParameter(n)
        for profile in (self._chase, self._brake):
            profile.max_velocity, profile.max_acceleration, profile.max_jerk = self._v, self._a, self._j
            profile.synchronization = Synchronization.No
        self._brake.control_interface = ControlInterface.Velocity
        self._brake.target_velocity = np.zeros(n)
        self.rest_at(spec.home)

    def rest_at(self, position: np.ndarray) -> None:
        """Stand at a pose, clipped into the range."""
        self.position = np.clip(position, self.low, self.high)
        self.velocity, self.acceleration = np.zeros_like(self.position), np.zeros_like(self.position)

    @property
    def standing(self) -> bool:
        """Whether the last setpoint stands."""
        return bool(max(np.abs(self.velocity).max(), np.abs(self.acceleration).max()) < STANDING)

    def follow(self, position: np.ndarray, velocity: np.ndarray) -> np.ndarray:
        """One step towards a moving reference; its share is `position`, `velocity`, `acceleration`.

        Returns:
            (n,) bool: joints that brake instead, because the step would have left no room to stop.
        """
        chase = self._chase
        self._start(chase, self.position, self.velocity, self.acceleration)
        inside = (position >= self.low) & (position <= self.high)
        chase.target_position = np.clip(position, self.low, self.high)
        chase.target_velocity = np.where(inside, np.clip(velocity, -self._v, self._v), 0.0)
        if not self._solved():
            self.stop()
            return np.ones(len(self.position), bool)
        step = [np.array(value) for value in (
            self._next.new_position, self._next.new_velocity, self._next.new_acceleration)]
        low, high = self.stopping_range(*step)
        unsafe = (low < self.low) | (high > self.high)
        if unsafe.any():
            for mine, brake in zip(step, self._braked(), strict=True):
                mine[unsafe] = brake[unsafe]
        self.position, self.velocity, self.acceleration = step
        return unsafe

    def _solved(self) -> bool:
        """Whether Ruckig finds a profile; in rare corners it only finds one that ends at rest."""
        for velocity in (None, np.zeros_like(self.position)):
            try:
                if velocity is not None:
                    self._chase.target_velocity = velocity
                self._ruckig.update(self._chase, self._next)
                return True
            except RuckigError:
                continue
        return False

    def stop(self) -> None:
        """One step of the quickest stop that the limits allow."""
        if not self.standing:
            self.position, self.velocity, self.acceleration = self._braked()
        if self.standing:
            self.rest_at(self.position)

    def stopping_range(
        self, position: np.ndarray, velocity: np.ndarray, acceleration: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest position (n,) on the way to a full stop.

        A stop goes straight to its end, unless a strong deceleration cannot be taken back before the velocity changes
        sign: then it turns round on the way, where v - |a| t + j t^2 / 2 = 0. (Ruckig's own extrema are wrong here.)
        """
        self._plan_stop(position, velocity, acceleration)
        end = np.array(self._stopping.at_time(self._stopping.duration)[0])
        low, high = np.minimum(position, end), np.maximum(position, end)
        v, a = np.abs(velocity), np.abs(acceleration)
        turns = (velocity * acceleration < 0) & (a * a > 2 * self._j * v)
        if turns.any():
            t = (a - np.sqrt(np.maximum(a * a - 2 * self._j * v, 0))) / self._j
            turn = position + np.where(turns, np.sign(velocity) * (v * t - a * t**2 / 2 + self._j * t**3 / 6), 0)
            low, high = np.minimum(low, turn), np.maximum(high, turn)
        return low, high

    def stopping_pose(self) -> np.ndarray:
        """(n,) where a full stop from the present setpoint ends."""
        self._plan_stop(self.position, self.velocity, self.acceleration)
        return np.array(self._stopping.at_time(self._stopping.duration)[0])

    def _braked(self) -> list[np.ndarray]:
        self._plan_stop(self.position, self.velocity, self.acceleration)
        state = [np.array(value) for value in self._stopping.at_time(self.tick_s)]
        state[0] = np.clip(state[0], self.low, self.high)  # rounding
        return state

    def _plan_stop(self, position: np.ndarray, velocity: np.ndarray, acceleration: np.ndarray) -> None:
        self._start(self._brake, position, velocity, acceleration)
        try:
            self._ruckig.calculate(self._brake, self._stopping)
        except RuckigError as reason:
            raise NoStop(f"Ruckig finds no stop from v = {velocity}, a = {acceleration}: {reason}") from reason

    def _start(self, profile: InputParameter, position: np.ndarray, velocity: np.ndarray, acceleration: np.ndarray):
        profile.current_position = position
        profile.current_velocity = np.clip(velocity, -self._v, self._v)
        profile.current_acceleration = np.clip(acceleration, -self._a, self._a)
