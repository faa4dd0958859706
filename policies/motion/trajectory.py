"""Jerk-limited motion, sampled at the control rate.

Every profile is state to state by Ruckig (Berscheid and Kroeger, "Jerk-limited real-time trajectory generation with
arbitrary target states", RSS 2021). Intermediate waypoints are never used: Ruckig's community edition would send
them to a cloud service.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ruckig import ControlInterface, InputParameter, Result, Ruckig, Trajectory

from tandem.bridge.contract import BodySpec, InvalidOption

_DONE = (Result.Working, Result.Finished)


@dataclass(frozen=True, eq=False)
class Limits:
    """Greatest velocity, acceleration and jerk of a motion, one per degree of freedom, (n,) each."""

    velocity: np.ndarray
    acceleration: np.ndarray
    jerk: np.ndarray

    @classmethod
    def of(cls, spec: BodySpec, velocity: float, acceleration: float, jerk: float) -> Limits:
        """Fractions of what the body allows."""
        return cls(spec.velocity_limit * velocity, spec.acceleration_limit * acceleration, spec.jerk_limit * jerk)

    @classmethod
    def along_path(cls, velocity: float, acceleration: float, jerk: float) -> Limits:
        """For a path parameter, in metres and seconds."""
        return cls(np.array([velocity]), np.array([acceleration]), np.array([jerk]))


def _input(start: np.ndarray, velocity: np.ndarray, limits: Limits) -> InputParameter:
    parameter = InputParameter(len(start))
    parameter.current_position = list(start)
    parameter.current_velocity = list(velocity)
    parameter.max_velocity = list(limits.velocity)
    parameter.max_acceleration = list(limits.acceleration)
    parameter.max_jerk = list(limits.jerk)
    return parameter


def _sampled(parameter: InputParameter, dt_s: float) -> np.ndarray:
    """(T, n) positions at dt, 2 dt, ... with the duration rounded up to whole steps, T >= 1."""
    generator, trajectory = Ruckig(parameter.degrees_of_freedom), Trajectory(parameter.degrees_of_freedom)
    outcome = generator.calculate(parameter, trajectory)
    if outcome in _DONE:
        steps = max(1, int(np.ceil(trajectory.duration / dt_s - 1e-9)))
        if parameter.control_interface == ControlInterface.Position:
            parameter.minimum_duration = steps * dt_s
            outcome = generator.calculate(parameter, trajectory)
    if outcome not in _DONE:
        raise InvalidOption(f"no jerk-limited motion: Ruckig answers {outcome.name}")
    return np.array([trajectory.at_time(k * dt_s)[0] for k in range(1, steps + 1)])


def joint_move(
    start: np.ndarray, goal: np.ndarray, limits: Limits, dt_s: float, *, velocity: np.ndarray | None = None
) -> np.ndarray:
    """(T, n) joint positions from rest, or from a velocity (n,), to rest at the goal; the last one is the goal."""
    parameter = _input(start, np.zeros(len(start)) if velocity is None else velocity, limits)
    parameter.target_position = list(goal)
    path = _sampled(parameter, dt_s)
    path[-1] = goal
    return path


def brake(start: np.ndarray, velocity: np.ndarray, limits: Limits, dt_s: float) -> np.ndarray:
    """(T, n) joint positions of the shortest stop from a velocity (n,)."""
    parameter = _input(start, velocity, limits)
    parameter.control_interface = ControlInterface.Velocity
    parameter.target_velocity = [0.0] * len(start)
    return _sampled(parameter, dt_s)


def distance(length: float, limits: Limits, dt_s: float) -> np.ndarray:
    """(T,) path parameter from 0 to `length`, from rest to rest."""
    return joint_move(np.zeros(1), np.array([length]), limits, dt_s)[:, 0]


def demand(path: np.ndarray, start: np.ndarray, spec: BodySpec) -> tuple[float, float]:
    """Greatest share of the body's velocity limits, and of its acceleration limits, that a path from rest to rest uses.

    Args:
        path: (T, n) joint positions, one per control step.
        start: (n,) before the first.
        spec: the body's specification.
    """
    velocity = np.diff(np.vstack([start, start, path, path[-1]]), axis=0) / spec.dt_s
    acceleration = np.diff(velocity, axis=0) / spec.dt_s
    shares = np.abs(velocity) / spec.velocity_limit, np.abs(acceleration) / spec.acceleration_limit
    return float(shares[0].max()), float(shares[1].max())
