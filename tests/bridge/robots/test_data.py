"""The two files of a robot agree with each other and with the contract."""

from __future__ import annotations

import subprocess
import sys

import mujoco
import numpy as np
import pytest

from tandem.bridge.contract.errors import UnknownName
from tandem.bridge.contract.spec import GripperSpec, StopBehaviour
from tandem.bridge.robots import ROBOTS, load

ARRAYS = (
    "position_low", "position_high", "velocity_limit", "acceleration_limit", "jerk_limit", "torque_limit", "home",
)  # fmt: skip


@pytest.fixture
def model(robot):
    return mujoco.MjModel.from_xml_string(robot.mjcf)


def test_no_physics_engine_is_needed_to_read_a_robot():
    code = (
        "import sys; from tandem.bridge.robots import ROBOTS, load; [load(name) for name in ROBOTS]; "
        "sys.exit('mujoco' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_unknown_robot_is_refused_and_the_known_ones_are_listed():
    with pytest.raises(UnknownName) as caught:
        load("pandas")
    assert caught.value.known == ROBOTS
    assert "'panda'" in str(caught.value)


def test_arrays_are_read_only_and_in_wire_order(robot):
    for name in ARRAYS:
        array = getattr(robot, name)
        assert array.shape == (len(robot.joint_names),)
        assert np.all(np.isfinite(array))
        assert not array.flags.writeable


def test_limits_make_sense(robot):
    assert np.all(robot.position_low < robot.home)
    assert np.all(robot.home < robot.position_high)
    for name in ("velocity_limit", "acceleration_limit", "jerk_limit", "torque_limit"):
        assert np.all(getattr(robot, name) > 0)


def test_wire_order_is_the_order_of_joints_and_actuators(robot, model):
    dof = len(robot.joint_names)
    assert tuple(model.joint(i).name for i in range(dof)) == robot.joint_names
    assert tuple(model.actuator(i).name for i in range(model.nu)) == (*robot.joint_names, "gripper")
    assert [model.joint(name).qposadr[0] for name in robot.joint_names] == list(range(dof))


def test_mjcf_repeats_the_limits(robot, model):
    dof = len(robot.joint_names)
    limits = np.stack([robot.position_low, robot.position_high], axis=1)
    np.testing.assert_allclose(model.jnt_range[:dof], limits, atol=1e-12)
    np.testing.assert_allclose(model.actuator_ctrlrange[:dof], limits, atol=1e-12)
    np.testing.assert_allclose(model.actuator_forcerange[:dof, 1], robot.torque_limit)
    np.testing.assert_allclose(model.actuator_forcerange[:dof, 0], -robot.torque_limit)
    np.testing.assert_allclose(
        model.actuator("gripper").ctrlrange, sorted((robot.gripper.closed, robot.gripper.open)), atol=1e-12
    )


def test_gripper_fits_the_contract(robot):
    gripper = robot.gripper
    fields = ("max_width_m", "finger_depth_m", "finger_width_m", "finger_thickness_m", "force_n")
    GripperSpec(**{name: getattr(gripper, name) for name in fields})
    StopBehaviour(robot.stop_behaviour)
    for opening in (0.0, 0.3, 1.0):
        assert gripper.opening(gripper.command(opening)) == pytest.approx(opening)


def test_wrist_camera_is_where_the_data_says(robot, model):
    data, camera = mujoco.MjData(model), robot.wrist_camera
    mujoco.mj_forward(model, data)
    mount, eye = data.body(camera.mount), data.cam("wrist")
    rotation_mount = mount.xmat.reshape(3, 3)
    rotation = rotation_mount.T @ eye.xmat.reshape(3, 3) @ np.diag([1, -1, -1])
    np.testing.assert_allclose(camera.T_mount_camera[:3, :3], rotation, atol=1e-9)
    np.testing.assert_allclose(camera.T_mount_camera[:3, 3], rotation_mount.T @ (eye.xpos - mount.xpos), atol=1e-9)
    assert model.cam("wrist").fovy[0] == pytest.approx(np.rad2deg(camera.fovy))


def test_wrist_camera_sees_the_fingertips_low_in_its_image(robot, rig):
    tool, eye = rig.data.site("tool"), rig.data.cam("wrist")
    approach = tool.xmat.reshape(3, 3)[:, 2]
    tips = tool.xpos + robot.gripper.finger_depth_m * approach
    right, down, forward = np.diag([1, -1, -1]) @ eye.xmat.reshape(3, 3).T @ (tips - eye.xpos)
    half = np.tan(robot.wrist_camera.fovy / 2)
    assert forward > 0
    assert abs(right / forward) < 0.2 * half
    assert 0.5 * half < down / forward < 0.95 * half


def test_every_moving_link_has_its_gravity_compensated(robot, model):
    moving = [i for i in range(1, model.nbody) if model.body_weldid[i] != 0]
    assert np.all(model.body_gravcomp[moving] == 1)


def test_it_can_be_attached_with_a_prefix(robot, rig_of):
    model = rig_of(robot.name, prefix="robot/").model
    np.testing.assert_allclose(model.joint(f"robot/{robot.joint_names[0]}").range[1], robot.position_high[0])
    assert model.site("robot/tool").id >= 0


def test_gripper_reads_back_from_closed_to_open(robot, rig):
    for opening in (0.0, 0.5, 1.0):
        rig.data.ctrl[rig.dof] = robot.gripper.command(opening)
        rig.step(750)
        assert rig.opening == pytest.approx(opening, abs=0.02)


def test_open_gripper_is_as_wide_as_the_data_says(robot, rig):
    pads = [i for i in range(rig.model.ngeom) if rig.model.geom(i).name.endswith("_pad")]
    assert len(pads) == 2
    across = rig.data.site("tool").xmat.reshape(3, 3)[:, 1]
    # between pad centres, less half a pad at either end
    centres = abs((rig.data.geom_xpos[pads[0]] - rig.data.geom_xpos[pads[1]]) @ across)
    thickness = sum(rig.model.geom_size[pad].min() for pad in pads)
    assert centres - thickness == pytest.approx(robot.gripper.max_width_m, abs=0.003)
