"""Points and back: what is written down is what the arm does, within its limits."""

import mink
import numpy as np
import pytest

from tandem.policies.learned import layouts
from tandem.policies.learned.layouts import Decoder, Layout, encode, pose_of
from tandem.policies.learned.policy import every_step
from tandem.policies.motion.kinematics import Arm

RNG = np.random.default_rng(0)


def turns(count):
    vectors = RNG.normal(size=(count, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True) * RNG.uniform(0, 3, (count, 1))


def test_quaternions_are_those_of_a_library():
    first, second = turns(20), turns(20)
    a, b = (np.array([layouts.quaternion(v) for v in vs]) for vs in (first, second))
    product = layouts.multiply(a, b)
    for i in range(20):
        one, other = mink.SO3.exp(first[i]), mink.SO3.exp(second[i])
        assert np.allclose(layouts.matrix(product[i]), (one @ other).as_matrix(), atol=1e-12)
        assert np.allclose(layouts.rotate(a[i], second[i]), one.as_matrix() @ second[i])
    assert np.allclose(layouts.rotation_vector(a), first)
    assert np.allclose(layouts.multiply(layouts.conjugate(a), a), [1, 0, 0, 0])
    assert np.allclose(layouts.rotation_vector(np.array([1.0, 0, 0, 0])), 0)


@pytest.mark.parametrize("robot", ["panda", "ur5e", "so101"])
@pytest.mark.parametrize("layout", list(Layout))
def test_a_path_survives_being_written_and_read(robot, layout, spec_of):
    spec = spec_of(robot)
    arm, q = Arm(spec), spec.home
    away = np.linspace(0, 0.08, 9)[1:, None] * RNG.uniform(-1, 1, spec.dof)
    actions = np.column_stack([q + away, np.linspace(1, 0.2, 8)])
    tools = np.array([pose_of(arm, action[:-1]) for action in actions])
    points = encode(layout, q[None], pose_of(arm, q)[None], actions[None], tools[None])[0]
    assert points.shape == (8, layout.size(spec.dof))
    back = Decoder(layout, spec, arm).decode(points, q, pose_of(arm, q))
    assert np.allclose(back[:, -1], actions[:, -1])
    again = np.array([pose_of(arm, action[:-1]) for action in back])
    assert np.abs(again[:, :3] - tools[:, :3]).max() < (2e-3 if arm.exact or layout is Layout.JOINT else 0.02)
    if layout is Layout.JOINT:
        assert np.allclose(back, actions)


@pytest.mark.parametrize("layout", list(Layout))
def test_whatever_a_network_says_stays_within_bounds_and_speed(layout, spec_of):
    spec = spec_of("panda")
    arm = Arm(spec)
    wild = RNG.normal(size=(8, layout.size(spec.dof)))
    actions = Decoder(layout, spec, arm).decode(wild, spec.home, pose_of(arm, spec.home))
    for action in actions:
        spec.action.validate(action)
    steps = np.diff(np.vstack([spec.home, actions[:, :-1]]), axis=0)
    assert (np.abs(steps) <= spec.velocity_limit * spec.dt_s + 1e-9).all()


def test_between_points_the_way_is_smooth_and_the_opening_straight():
    t = np.arange(1, 9) / 4
    points = np.column_stack([t**3 - t, 2 * t, np.linspace(1, 0, 8)])
    rows, fine = every_step(points, 2), np.arange(1, 17) / 8
    assert np.allclose(rows[1::2], points)
    assert np.allclose(rows[:, 0], fine**3 - fine), "a cubic, from where the arm is now"
    assert np.allclose(rows[:, 1], 2 * fine)
    assert np.allclose(rows[:, 2], np.interp(fine, t, points[:, 2]))
    assert np.allclose(every_step(points, 1), points)
    assert np.allclose(every_step(points[:1], 2)[:, 1], [0.25, 0.5])
