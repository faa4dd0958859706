"""Forward kinematics against the makers' published tables, multiplied out here and nowhere else."""

from __future__ import annotations

from functools import cache

import mujoco
import numpy as np
import pytest

from tandem.bridge.robots import load

PI = np.pi

# a, d, alpha: Franka, "FCI documentation", Craig's convention, and the flange.
PANDA = (
    (0, 0.333, 0), (0, 0, -PI / 2), (0, 0.316, PI / 2), (0.0825, 0, PI / 2),
    (-0.0825, 0.384, -PI / 2), (0, 0, PI / 2), (0.088, 0, PI / 2),
)  # fmt: skip
PANDA_FLANGE_M, PANDA_HAND_TCP_M = 0.107, 0.1034

# a, d, alpha: Universal Robots, "DH parameters for calculations of kinematics and dynamics".
UR5E = (
    (0, 0.1625, PI / 2), (-0.425, 0, 0), (-0.3922, 0, 0), (0, 0.1333, PI / 2), (0, 0.0997, -PI / 2), (0, 0.0996, 0),
)  # fmt: skip

# xyz, rpy: TheRobotStudio, SO-101, joint origins in the frame of the link before; every joint turns about its z.
SO101 = (
    ((0.0388353, 0, 0.0624), (PI, 0, -PI)),
    ((-0.0303992, -0.0182778, -0.0542), (-PI / 2, -PI / 2, 0)),
    ((-0.11257, -0.028, 0), (0, 0, PI / 2)),
    ((-0.1349, 0.0052, 0), (0, 0, -PI / 2)),
    ((0, -0.0611, 0.0181), (PI / 2, 0, PI)),
)
SO101_TOOL_DEPTH_M, SO101_FIXED_JAW_M, SO101_HALF_WIDTH_M = 0.0981, 0.0079, 0.020


def rotation(axis: int, angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    T, i, j = np.eye(4), (axis + 1) % 3, (axis + 2) % 3
    T[i, i], T[i, j], T[j, i], T[j, j] = c, -s, s, c
    return T


def translation(x: float, y: float, z: float) -> np.ndarray:
    T = np.eye(4)
    T[:3, 3] = x, y, z
    return T


def panda_flange(q: np.ndarray) -> np.ndarray:
    T = np.eye(4)
    for (a, d, alpha), angle in zip(PANDA, q, strict=True):
        T = T @ rotation(0, alpha) @ translation(a, 0, 0) @ rotation(2, angle) @ translation(0, 0, d)
    return T @ translation(0, 0, PANDA_FLANGE_M)


def panda_tool(q: np.ndarray) -> np.ndarray:
    return panda_flange(q) @ rotation(2, -PI / 4) @ translation(0, 0, PANDA_HAND_TCP_M)


def ur5e_flange(q: np.ndarray) -> np.ndarray:
    T = rotation(2, PI)  # x forward, as ROS's base_link
    for (a, d, alpha), angle in zip(UR5E, q, strict=True):
        T = T @ rotation(2, angle) @ translation(0, 0, d) @ translation(a, 0, 0) @ rotation(0, alpha)
    return T


def so101_tool(q: np.ndarray) -> np.ndarray:
    T = np.eye(4)
    for (xyz, (roll, pitch, yaw)), angle in zip(SO101, q, strict=True):
        T = T @ translation(*xyz) @ rotation(2, yaw) @ rotation(1, pitch) @ rotation(0, roll) @ rotation(2, angle)
    T = T @ translation(SO101_HALF_WIDTH_M - SO101_FIXED_JAW_M, 0, -SO101_TOOL_DEPTH_M)
    axes = np.eye(4)
    axes[:3, :3] = [[0, 1, 0], [1, 0, 0], [0, 0, -1]]  # out of the hand, towards the moving jaw
    return T @ axes


CHAINS = [
    ("panda", "flange", panda_flange),
    ("panda", "tool", panda_tool),
    ("ur5e", "flange", ur5e_flange),
    ("so101", "tool", so101_tool),
]


@cache
def compiled(name: str) -> tuple[mujoco.MjModel, mujoco.MjData]:
    model = mujoco.MjModel.from_xml_string(load(name).mjcf)
    return model, mujoco.MjData(model)


def mujoco_pose(name: str, site: str, q: np.ndarray) -> np.ndarray:
    model, data = compiled(name)
    data.qpos[: len(q)] = q
    mujoco.mj_kinematics(model, data)
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = data.site(site).xmat.reshape(3, 3), data.site(site).xpos
    return T


@pytest.mark.parametrize("name, site, chain", CHAINS, ids=[f"{name}-{site}" for name, site, _ in CHAINS])
def test_forward_kinematics_is_the_published_chain(name, site, chain):
    robot, rng = load(name), np.random.default_rng(0)
    for _ in range(100):
        q = rng.uniform(robot.position_low, robot.position_high)
        np.testing.assert_allclose(mujoco_pose(name, site, q), chain(q), atol=1e-6)


def test_panda_at_zero():
    pose = mujoco_pose("panda", "flange", np.zeros(7))
    np.testing.assert_allclose(pose[:3, 3], [0.088, 0, 0.333 + 0.316 + 0.384 - 0.107], atol=1e-6)
    np.testing.assert_allclose(pose[:3, 2], [0, 0, -1], atol=1e-6)


def test_panda_at_franka_s_ready_pose():
    ready = np.array([0, -PI / 4, 0, -3 * PI / 4, 0, PI / 2, PI / 4])
    pose = mujoco_pose("panda", "tool", ready)
    np.testing.assert_allclose(pose[:3, 3], [0.3069, 0, 0.4869], atol=2e-4)
    np.testing.assert_allclose(pose[:3, :3], np.diag([1, -1, -1]), atol=1e-6)


def test_ur5e_at_zero_lies_stretched_out():
    pose = mujoco_pose("ur5e", "flange", np.zeros(6))
    np.testing.assert_allclose(pose[:3, 3], [0.8172, 0.2329, 0.0628], atol=1e-6)


def test_ur5e_upright():
    pose = mujoco_pose("ur5e", "flange", np.array([0, -PI / 2, 0, -PI / 2, 0, 0]))
    np.testing.assert_allclose(pose[:3, 3], [0, 0.2329, 0.1625 + 0.425 + 0.3922 + 0.0997], atol=1e-6)


def test_home_points_down_over_the_table(robot):
    pose = mujoco_pose(robot.name, "tool", robot.home)
    np.testing.assert_allclose(pose[:3, 2], [0, 0, -1], atol=1e-3)
    assert robot.workspace.contains(np.hypot(*pose[:2, 3]), 0.0)
    assert pose[2, 3] > robot.workspace.height_max_m
