"""Velocity, acceleration and jerk limits, and a stop that always fits inside the range. Ruckig, state to state.

The stage keeps one invariant: from the setpoint that it gives out, a full stop at the declared limits stays inside the
position range and below the velocity limit. A step that would break it is replaced, joint by joint, by the next piece
of that very stop, which keeps it. So no stream of references, however wild, makes the arm leave its range or exceed a
limit.
"""

from __future__ import annotations

import numpy as np
from ruckig import ControlInterface, InputParameter, OutputParameter, Ruckig, RuckigError, Synchronization, Trajectory

from tandem.bridge.contract.errors import TandemError
from tandem.bridge.contract.spec import BodySpec

SHARE = 0.98  # of each limit is used: sampled setpoints keep to the limits in their differences, too
RANGE_MARGIN = 1e-4  # rad (or m) kept free at either end of the range
CLOSING = 25.0  # 1/s: how fast a lag behind a moving reference is taken back
NUDGE = 1e-7  # rad/s by which a velocity is moved where Ruckig finds no stop from exactly there
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
        self._arrive, self._chase, self._brake = InputParameter(n), InputParameter(n), InputParameter(n)
        self._next = OutputParameter(n)
        for profile in (self._arrive, self._chase, self._brake):
            profile.max_velocity, profile.max_acceleration, profile.max_jerk = self._v, self._a, self._j
            profile.synchronization = Synchronization.No
        self._chase.control_interface = self._brake.control_interface = ControlInterface.Velocity
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

    def follow(self, position: np.ndarray, velocity: np.ndarray, acceleration: np.ndarray) -> np.ndarray:
        """One step towards a moving reference, as quickly as the limits allow.

        Args:
            position: (n,) rad; beyond the range its edge is meant.
            velocity: (n,) rad/s of the reference.
            acceleration: (n,) rad/s^2 of the reference.

        Returns:
            (n,) bool: joints that brake instead, because the step would have left no room to stop.
        """
        profile = self._chasing(position, velocity, acceleration)
        try:
            self._ruckig.update(profile, self._next)
        except RuckigError:  # rare corners
            self.stop()
            return np.ones(len(self.position), bool)
        step = [np.array(value) for value in (
            self._next.new_position, self._next.new_velocity, self._next.new_acceleration)]
        low, high = self.stopping_range(*step)
        peak = np.abs(step[1] + np.copysign(step[2] ** 2 / (2 * self._j), step[2]))
        unsafe = (low < self.low) | (high > self.high) | (peak > self._v)
        if unsafe.any():
            for mine, brake in zip(step, self._braked(), strict=True):
                mine[unsafe] = brake[unsafe]
        self.position, self.velocity, self.acceleration = step
        return unsafe

    def _chasing(self, position: np.ndarray, velocity: np.ndarray, acceleration: np.ndarray) -> InputParameter:
        """The profile of the next step.

        To a reference at rest: straight to it. After one that moves: its velocity, and more of it the further it is
        away. Ruckig's way to a moving state would not do: who is a hair ahead of it would turn back and come again.
        """
        goal = np.clip(position, self.low, self.high)
        if not (velocity.any() or acceleration.any()):
            self._start(self._arrive, self.position, self.velocity, self.acceleration)
            self._arrive.target_position = goal
            return self._arrive
        inside = (position >= self.low) & (position <= self.high)
        error = goal - self.position
        closing = np.minimum(CLOSING * np.abs(error), np.sqrt(self._a * np.abs(error) / 2))
        bend = np.where(inside, np.clip(acceleration, -self._a, self._a), 0.0)
        room = np.maximum(self._v - bend**2 / (2 * self._j) - np.abs(bend) * self.tick_s, 0.0)  # to take it back in
        wanted = np.where(inside, velocity, 0.0) + np.copysign(closing, error)
        self._start(self._chase, self.position, self.velocity, self.acceleration)
        self._chase.target_velocity, self._chase.target_acceleration = np.clip(wanted, -room, room), bend
        return self._chase

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
        for nudge in (0.0, NUDGE, -NUDGE, 10 * NUDGE):
            self._start(self._brake, position, velocity + nudge, acceleration)
            try:
                self._ruckig.calculate(self._brake, self._stopping)
                return
            except RuckigError:  # where a phase of the profile has no length at all: rounding decides
                continue
        raise NoStop(f"Ruckig finds no stop from v = {velocity}, a = {acceleration}")

    def _start(self, profile: InputParameter, position: np.ndarray, velocity: np.ndarray, acceleration: np.ndarray):
        profile.current_position = position
        profile.current_velocity = np.clip(velocity, -self._v, self._v)
        profile.current_acceleration = np.clip(acceleration, -self._a, self._a)
