"""What the servos and the fingers do: settle, follow, hold."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

CUBES_M = {"panda": (0.02, 0.04, 0.06), "ur5e": (0.02, 0.04, 0.06), "so101": (0.02, 0.025, 0.03, 0.035)}


def swing(robot, t: float, amplitude: float, rate_hz: float) -> np.ndarray:
    """Joint targets around home at a different rate for each joint, within the joint ranges, faded in over a second."""
    room = np.minimum(robot.position_high - robot.home, robot.home - robot.position_low)
    rates = rate_hz * np.linspace(0.8, 1.2, len(robot.home))
    return robot.home + np.minimum(amplitude, 0.8 * room) * np.sin(2 * np.pi * rates * t) * min(t, 1.0)


def test_at_home_nothing_touches_and_nothing_sags(rig):
    rig.step(1000)
    assert rig.data.ncon == 0
    assert np.abs(rig.joint_position - rig.robot.home).max() < 5e-4


def test_it_follows_interpolated_targets(rig):
    """20 Hz targets, joined by straight lines, reached within 30 ms' worth of motion."""
    control_s, physics_s = 0.05, rig.model.opt.timestep
    for index in range(1500):
        t = index * physics_s
        begin = np.floor(t / control_s + 1e-9) * control_s
        weight = (t - begin) / control_s
        target = (1 - weight) * swing(rig.robot, begin, 0.2, 0.5) + weight * swing(
            rig.robot, begin + control_s, 0.2, 0.5
        )
        rig.data.ctrl[: rig.dof] = target
        rig.step()
        assert np.abs(rig.joint_position - target).max() < 0.03 * 0.2 * 2 * np.pi * 0.6 + 2e-3


def test_it_holds_cubes_of_every_size(robot, rig_of):
    for size_m in CUBES_M[robot.name]:
        rig = rig_of(robot.name, cube_m=size_m, mass_kg=0.1 if robot.name == "so101" else 0.3)
        rig.grasp_cube()
        start = rig.cube_in_tool()
        assert np.abs(start[[0, 2]]).max() < 2.5e-3
        rig.step(1500)
        assert np.abs(rig.cube_in_tool() - start).max() < 5e-4, f"a cube of {size_m} m slips"


def test_a_held_cube_survives_a_shaking(robot, rig_of):
    rig = rig_of(robot.name, cube_m=0.03 if robot.name == "so101" else 0.04)
    rig.grasp_cube()
    start = rig.cube_in_tool()
    amplitude = 0.15
    for index in range(1500):
        rig.data.ctrl[: rig.dof] = swing(robot, index * 0.002, amplitude, 1.0)
        rig.step()
    assert np.abs(rig.cube_in_tool() - start).max() < 2.5e-3


def test_grip_force_is_the_stated_one(robot, rig_of):
    rig = rig_of(robot.name, cube_m=0.03)
    rig.grasp_cube()
    force, total = np.zeros(6), 0.0
    for index in range(rig.data.ncon):
        mujoco.mj_contactForce(rig.model, rig.data, index, force)
        total += force[0]
    assert total / 2 == pytest.approx(robot.gripper.force_n, rel=0.1)
