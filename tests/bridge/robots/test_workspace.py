"""The stated workspace is reachable: inverse kinematics on its edges, heights and yaws, away from every joint limit."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

mujoco = pytest.importorskip("mujoco")
mink = pytest.importorskip("mink")

PI = np.pi
MARGIN_RAD = {"panda": 0.1, "ur5e": 0.4, "so101": 0.1}
YAW_SIGN = {"panda": -1, "ur5e": -1, "so101": 1}  # how the last joint turns the hand, seen from above


def pointing_down(x: float, y: float, z: float, yaw: float) -> mink.SE3:
    T = np.eye(4)
    T[:3, :3] = [[np.cos(yaw), np.sin(yaw), 0], [np.sin(yaw), -np.cos(yaw), 0], [0, 0, -1]]
    T[:3, 3] = x, y, z
    return mink.SE3.from_matrix(T)


class Arm:
    """One robot and its inverse kinematics, started at home turned towards the target."""

    def __init__(self, robot):
        self.robot, self.dof = robot, len(robot.joint_names)
        self.model = mujoco.MjModel.from_xml_string(robot.mjcf)
        self.configuration = mink.Configuration(self.model)
        self.limits = [mink.ConfigurationLimit(self.model)]
        self.tool = mink.FrameTask("tool", "site", position_cost=1.0, orientation_cost=0.3, lm_damping=1e-3)

    def margin(self, x: float, y: float, z: float, yaw: float) -> float:
        """Distance to the nearest joint limit in rad, or -1 where the pose is out of reach or collides."""
        robot, azimuth = self.robot, np.arctan2(y, x)
        seed = self.model.qpos0.copy()
        seed[: self.dof] = robot.home
        seed[0] += azimuth if robot.name != "so101" else -azimuth
        seed[self.dof - 1] += YAW_SIGN[robot.name] * (yaw - azimuth)
        seed[: self.dof] = np.clip(seed[: self.dof], robot.position_low + 0.05, robot.position_high - 0.05)
        self.configuration.update(seed)
        self.tool.set_target(pointing_down(x, y, z, yaw))
        for _ in range(40):
            velocity = mink.solve_ik(self.configuration, [self.tool], 0.1, "daqp", damping=1e-6, limits=self.limits)
            velocity[self.dof :] = 0
            self.configuration.integrate_inplace(velocity, 0.1)
        error = self.tool.compute_error(self.configuration)
        mujoco.mj_forward(self.model, self.configuration.data)
        if np.linalg.norm(error[:3]) > 1e-3 or np.linalg.norm(error[3:]) > 0.01 or self.configuration.data.ncon:
            return -1.0
        q = self.configuration.q[: self.dof]
        return float(np.minimum(q - robot.position_low, robot.position_high - q).min())


def test_every_corner_is_reached_at_both_heights_and_any_yaw(robot):
    arm, space, wanted = Arm(robot), robot.workspace, MARGIN_RAD[robot.name]
    reaches = np.linspace(space.reach_min_m, space.reach_max_m, 3)
    azimuths = np.linspace(space.azimuth_low, space.azimuth_high, 3)
    for reach, azimuth, z, yaw in product(reaches, azimuths, (0.01, space.height_max_m), (-PI / 2, -PI / 6, PI / 6)):
        x, y = reach * np.cos(azimuth), reach * np.sin(azimuth)
        best = -1.0
        for half_turn in (0.0, PI, -PI):
            best = max(best, arm.margin(x, y, z, yaw + half_turn))
            if best > wanted:
                break
        assert best > wanted, f"{robot.name} at reach {reach:.2f}, azimuth {azimuth:.2f}, z {z}, yaw {yaw:.2f}: {best}"
