"""Laws of the profiles: within limits, continuous, and exactly there at the end."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tandem.bridge.contract import InvalidOption
from tandem.policies.motion.pace import Pace
from tandem.policies.motion.trajectory import Limits, brake, distance, joint_move

DT = 0.05
angles = st.lists(st.floats(-2.5, 2.5), min_size=3, max_size=3).map(np.array)
LIMITS = Limits(np.array([1.0, 2.0, 0.5]), np.array([3.0, 5.0, 2.0]), np.array([40.0, 60.0, 25.0]))


def _differences(path, start):
    """Mean velocity, acceleration and jerk over each step: by the mean value theorem never beyond their limits."""
    padded = np.vstack([start, start, start, path, path[-1], path[-1], path[-1]])
    velocity = np.diff(padded, axis=0) / DT
    acceleration = np.diff(velocity, axis=0) / DT
    return velocity, acceleration, np.diff(acceleration, axis=0) / DT


@settings(max_examples=60, deadline=None)
@given(angles, angles)
def test_joint_moves_respect_velocity_acceleration_and_jerk(start, goal):
    path = joint_move(start, goal, LIMITS, DT)
    assert np.array_equal(path[-1], goal)
    for values, limit in zip(
        _differences(path, start), (LIMITS.velocity, LIMITS.acceleration, LIMITS.jerk), strict=True
    ):
        assert np.all(np.abs(values) <= limit * 1.001 + 1e-6)


@settings(max_examples=40, deadline=None)
@given(st.floats(0.001, 1.5), st.floats(0.02, 0.6))
def test_a_line_runs_forward_only_and_no_faster_than_asked(length, speed):
    along = distance(length, Pace.line(speed), DT)
    steps = np.diff(np.concatenate([[0.0], along]))
    assert np.all(steps >= -1e-9)
    assert along[-1] == length
    assert steps.max() <= speed * DT * 1.001 + 1e-9


def test_a_moving_arm_comes_to_rest():
    velocity = np.array([0.8, -1.5, 0.2])
    path = brake(np.zeros(3), velocity, LIMITS, DT)
    assert np.all(np.abs(np.diff(path[-3:], axis=0)) <= np.abs(np.diff(path[:3], axis=0)) + 1e-9)
    assert np.all(np.sign(path[-1]) == np.sign(velocity))
    assert np.abs(np.diff(path, axis=0)).max() <= 1.5 * DT + 1e-6


def test_from_a_velocity_to_a_goal_starts_with_that_velocity():
    limits, velocity = Limits(*np.full((3, 2), 4.0)), np.array([0.5, 0.0])
    path = joint_move(np.zeros(2), np.array([0.3, 0.1]), limits, 0.01, velocity=velocity)
    assert path[0, 0] == pytest.approx(0.005, rel=0.05)


@pytest.mark.parametrize("options", [{"velocity": 1.2}, {"line_m_s": 0.0}, {"close_s": -1.0}])
def test_a_pace_beyond_the_body_is_refused(options):
    with pytest.raises(InvalidOption, match=next(iter(options))):
        Pace(**options)
