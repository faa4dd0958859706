"""Laws of the kinematics, on three arms that share no line of code."""

import numpy as np
import pytest

from tandem.bridge.contract import FailureCode, SkillFailed
from tandem.bridge.robots import ROBOTS, load
from tandem.policies.motion.kinematics import Arm
from tandem.policies.motion.pose import angle_between, moved, top_down


def _poses(robot: str, n: int):
    """Random top-down poses within the workspace that the robot's own file states."""
    space, rng = load(robot).workspace, np.random.default_rng(7)
    for _ in range(n):
        reach, angle = rng.uniform(space.reach_min_m, space.reach_max_m), rng.uniform(-0.9, 0.9)
        yield top_down(np.array([reach * np.cos(angle), reach * np.sin(angle), 0.03]), angle + rng.uniform(-0.7, 0.7))


@pytest.mark.parametrize("robot", ROBOTS)
def test_inverse_is_the_inverse_of_forward_all_over_the_table(robot, spec_of):
    arm = Arm(spec_of(robot))
    reached = 0
    for pose in _poses(robot, 40):
        if not arm.reachable(pose, arm.spec.home):
            continue
        reached += 1
        q = arm.reach(pose, arm.spec.home)
        there = arm.fk(q)
        assert np.linalg.norm(there[:3, 3] - pose[:3, 3]) < 1e-4
        assert np.all((q >= arm.spec.position_low) & (q <= arm.spec.position_high))
        if arm.spec.dof >= 6:
            assert angle_between(there, pose) < np.radians(0.12)
        else:  # tilted where five joints leave no choice, and turned as asked
            assert np.arccos(np.clip(-there[2, 2], -1, 1)) < 0.71
    assert reached >= 0.95 * 40


@pytest.mark.parametrize("robot", ["panda", "ur5e"])
def test_half_a_turn_of_the_wrist_is_found(robot, spec_of):
    arm = Arm(spec_of(robot))
    for yaw in (0.0, np.pi / 2, np.pi, -np.pi / 2):
        pose = top_down(np.array([0.5, 0.0, 0.1]), yaw)
        assert angle_between(arm.fk(arm.reach(pose, arm.spec.home)), pose) < 2e-3


@pytest.mark.parametrize("robot", ROBOTS)
def test_random_configurations_are_found_again(robot, spec_of):
    arm, rng = Arm(spec_of(robot)), np.random.default_rng(3)
    for _ in range(20):
        q = np.clip(arm.spec.home + rng.uniform(-0.4, 0.4, arm.spec.dof), arm.low, arm.high)
        found = arm.ik(arm.fk(q), arm.spec.home)
        assert found is not None
        assert np.linalg.norm(arm.fk(found)[:3, 3] - arm.fk(q)[:3, 3]) < 1e-4


@pytest.mark.parametrize("robot", ROBOTS)
def test_what_is_too_far_is_unreachable(robot, spec_of):
    arm = Arm(spec_of(robot))
    far = top_down(np.array([3.0, 0.0, 0.1]), 0.0)
    assert not arm.reachable(far, arm.spec.home)
    with pytest.raises(SkillFailed, match=r"x 3\.000") as failed:
        arm.reach(far, arm.spec.home)
    assert failed.value.code is FailureCode.UNREACHABLE


@pytest.mark.parametrize("robot", ROBOTS)
def test_a_straight_line_is_tracked_without_jumps(robot, spec_of):
    arm = Arm(spec_of(robot))
    start = arm.fk(arm.spec.home)
    poses = [moved(start, s * np.array([0.0, 0.03, -0.05])) for s in np.linspace(0, 1, 21)]
    path = arm.track(poses, arm.spec.home)
    assert np.abs(np.diff(path, axis=0)).max() < 0.1
    assert all(np.linalg.norm(arm.fk(q)[:3, 3] - p[:3, 3]) < 1e-4 for q, p in zip(path, poses, strict=True))


@pytest.mark.parametrize("robot", ["panda", "ur5e"])
def test_parallel_fingers_hold_in_the_middle(robot, spec_of):
    jaws = Arm(spec_of(robot)).jaws
    assert jaws.widest_m == pytest.approx(spec_of(robot).gripper.max_width_m, abs=1e-3)
    assert [jaws.centre(width) for width in (0.01, 0.03, 0.06)] == pytest.approx([0.0] * 3, abs=1e-4)
    assert jaws.width(0.5) == pytest.approx(jaws.widest_m / 2, abs=1e-3)


def test_a_fixed_jaw_holds_beside_the_middle(spec_of):
    jaws = Arm(spec_of("so101")).jaws
    faces = np.array([jaws.faces(opening) for opening in (0.2, 0.5, 1.0)])
    assert np.ptp(faces[:, 0]) < 1e-6 < np.ptp(faces[:, 1])  # one jaw stands still, the other moves
    for width in (0.015, 0.025, 0.035):
        assert jaws.centre(width) == pytest.approx(faces[0, 0] + width / 2, abs=1e-3)
    opening = jaws.opening(0.03)
    assert jaws.width(opening) == pytest.approx(0.03, abs=1e-4)
