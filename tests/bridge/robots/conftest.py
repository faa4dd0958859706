"""A world of one robot, a table plane and, on request, a cube, under the simulation's own physics options."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np
import pytest

from tandem.bridge.robots import ROBOTS, Robot, load


@dataclass
class Rig:
    """One robot in a compiled world, at home."""

    robot: Robot
    model: mujoco.MjModel
    data: mujoco.MjData

    @property
    def dof(self) -> int:
        return len(self.robot.joint_names)

    @property
    def joint_position(self) -> np.ndarray:
        return self.data.qpos[: self.dof]

    @property
    def opening(self) -> float:
        return self.robot.gripper.opening(self.data.actuator("gripper").length[0])

    def go_home(self) -> None:
        gripper = self.robot.gripper
        mujoco.mj_resetData(self.model, self.data)
        self.data.qpos[: self.dof] = self.robot.home
        for joint in gripper.joint_names:
            self.data.joint(joint).qpos[:] = gripper.open / len(gripper.joint_names)
        self.data.ctrl[: self.dof] = self.robot.home
        self.data.ctrl[self.dof] = gripper.open
        mujoco.mj_forward(self.model, self.data)

    def step(self, steps: int = 1) -> None:
        mujoco.mj_step(self.model, self.data, steps)
        assert not any(warning.number for warning in self.data.warning)

    def put_cube_at_tool(self) -> None:
        tool, cube = self.data.site("tool"), self.data.joint("cube")
        cube.qpos[:3] = tool.xpos
        mujoco.mju_mat2Quat(cube.qpos[3:], tool.xmat)
        cube.qvel[:] = 0

    def grasp_cube(self) -> None:
        """Close on a cube that floats between the pads, then let gravity have it."""
        self.put_cube_at_tool()
        self.data.ctrl[self.dof] = self.robot.gripper.command(0.0)
        self.step(600)
        self.model.body_gravcomp[self.model.body("cube").id] = 0
        self.step(100)

    def cube_in_tool(self) -> np.ndarray:
        """(3,) metres."""
        tool = self.data.site("tool")
        return tool.xmat.reshape(3, 3).T @ (self.data.body("cube").xpos - tool.xpos)


def build(name: str, cube_m: float | None = None, mass_kg: float = 0.1, prefix: str = "") -> Rig:
    robot, world = load(name), mujoco.MjSpec()
    world.option.timestep, world.option.impratio = 0.002, 10
    world.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    world.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    world.attach(mujoco.MjSpec.from_string(robot.mjcf), prefix=prefix, frame=world.worldbody.add_frame())
    if cube_m is not None:
        cube = world.worldbody.add_body(name="cube", gravcomp=1)
        cube.add_freejoint(name="cube")
        cube.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=[cube_m / 2] * 3, mass=mass_kg)
    model = world.compile()
    rig = Rig(robot, model, mujoco.MjData(model))
    if not prefix:
        rig.go_home()
    return rig


@pytest.fixture
def rig_of():
    return build


@pytest.fixture(params=ROBOTS)
def robot(request) -> Robot:
    return load(request.param)


@pytest.fixture
def rig(robot) -> Rig:
    return build(robot.name)
