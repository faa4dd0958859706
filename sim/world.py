"""A compiled scene that moves: physics, commands, measured state, save and restore. It knows no task."""

from __future__ import annotations

from collections.abc import Mapping

import mujoco
import numpy as np

from tandem.bridge.contract import InvalidOption, PhysicsDiverged
from tandem.bridge.contract.observation import GRIPPER_OPENING, JOINT_POSITION, JOINT_VELOCITY, TIME, TOOL_POSE
from tandem.bridge.robots import Robot
from tandem.sim.entities import Entity
from tandem.sim.scene import Rates, Scene

STATE = mujoco.mjtState.mjSTATE_INTEGRATION  # the only vector that restores bit for bit
SETTLE_S = 0.3  # loose things come to rest before the episode begins
COMMAND_UPDATES = 5  # per control step: targets ramp linearly, as a servo's interpolator does
_BAD = (mujoco.mjtWarning.mjWARN_BADQPOS, mujoco.mjtWarning.mjWARN_BADQVEL, mujoco.mjtWarning.mjWARN_BADQACC,
        mujoco.mjtWarning.mjWARN_BADCTRL)


class World:
    """Physics of one scene with one robot.

    Args:
        model: the compiled model.
        robot: the arm in it.
        rates: physics and control rates.
        entities: what can be named, by name; none when the world comes from a log.

    Attributes:
        data: the state of the model.
    """

    def __init__(self, model: mujoco.MjModel, robot: Robot, rates: Rates, entities: Mapping[str, Entity] | None = None):
        self.model, self.robot, self.rates, self.entities = model, robot, rates, dict(entities or {})
        self.data = mujoco.MjData(model)
        names = (*self.robot.joint_names, "gripper")
        self._actuators = np.array([self.model.actuator(name).id for name in names])
        self._qpos = np.array([self.model.joint(name).qposadr[0] for name in self.robot.joint_names])
        self._qvel = np.array([self.model.joint(name).dofadr[0] for name in self.robot.joint_names])
        self._tool = self.model.site(self.robot.tool_site).id
        updates = COMMAND_UPDATES if rates.substeps % COMMAND_UPDATES == 0 else rates.substeps
        self._ramp, self._substeps = [(k + 1) / updates for k in range(updates)], rates.substeps // updates
        self._state_size = mujoco.mj_stateSize(self.model, STATE)

    @classmethod
    def of(cls, scene: Scene, rates: Rates) -> World:
        """Compile a finished scene."""
        return cls(scene.spec.compile(), scene.robot, rates, scene.entities)

    def place_robot(self, joint_position: np.ndarray, opening: float) -> None:
        """Put the arm at rest at a pose, commanded to stay there."""
        gripper = self.robot.gripper
        self.data.qpos[self._qpos], self.data.qvel[:] = joint_position, 0
        share = gripper.command(opening) / len(gripper.joint_names)
        for name in gripper.joint_names:
            self.data.joint(name).qpos = share
        self.data.ctrl[self._actuators] = (*joint_position, gripper.command(opening))

    def close_gripper(self) -> None:
        """Command the fingers shut, whatever is between them."""
        self.data.ctrl[self._actuators[-1]] = self.robot.gripper.command(0.0)

    def settle(self) -> None:
        """Let loose things come to rest, then set the clock to 0 and pass through the restore path."""
        self.rest(SETTLE_S)

    def rest(self, seconds: float) -> None:
        """Physics with the robot's command as it is, for so long; then the clock stands at 0.

        Raises:
            PhysicsDiverged: MuJoCo warned of a bad state.
        """
        mujoco.mj_step(self.model, self.data, nstep=max(1, round(seconds * self.rates.physics_hz)))
        self.data.time = 0.0
        self._check()
        self.restore(self.state())

    def step(self, action: np.ndarray) -> None:
        """Ramp the targets from the last to this action (n + 1,) over one control step of physics.

        Raises:
            PhysicsDiverged: MuJoCo warned of a bad state.
        """
        ctrl, actuators = self.data.ctrl, self._actuators
        start = ctrl[actuators]
        change = np.append(action[:-1], self.robot.gripper.command(action[-1])) - start
        for fraction in self._ramp:
            ctrl[actuators] = start + fraction * change
            mujoco.mj_step(self.model, self.data, nstep=self._substeps)
        self._check()
        self._derive()

    def drive(self, action: np.ndarray) -> None:
        """Set the targets to an action (n + 1,) at once and let physics take one step: for a body in real time.

        Poses of things and contacts are those of before the step until `refresh`.

        Raises:
            PhysicsDiverged: MuJoCo warned of a bad state.
        """
        self.data.ctrl[self._actuators] = (*action[:-1], self.robot.gripper.command(float(action[-1])))
        mujoco.mj_step(self.model, self.data)
        self._check()

    def refresh(self) -> None:
        """After `drive`: bring the poses of things up to the present state."""
        self._derive()

    def _check(self) -> None:
        for kind in _BAD:
            if self.data.warning[kind].number:
                when = f"t = {self.data.time:.3f} s"
                raise PhysicsDiverged(f"MuJoCo reports {kind.name} at {when}: the scene or command is not physical")

    def _derive(self) -> None:
        """Positions of everything from qpos, without touching what the next step starts from."""
        mujoco.mj_kinematics(self.model, self.data)
        mujoco.mj_comPos(self.model, self.data)
        mujoco.mj_camlight(self.model, self.data)
        mujoco.mj_tendon(self.model, self.data)
        mujoco.mj_transmission(self.model, self.data)

    def commanded(self) -> np.ndarray:
        """The action (n + 1,) that the robot is carrying out: where the last ramp ended."""
        ctrl = self.data.ctrl[self._actuators]
        return np.append(ctrl[:-1], self.robot.gripper.opening(float(ctrl[-1])))

    def measured(self) -> dict[str, np.ndarray]:
        """What sensors of a real arm would give: joints, gripper opening, tool pose, time."""
        data = self.data
        pose = np.empty(7)
        pose[:3] = data.site_xpos[self._tool]
        mujoco.mju_mat2Quat(pose[3:], data.site_xmat[self._tool])
        opening = self.robot.gripper.opening(float(data.actuator_length[self._actuators[-1]]))
        return {
            JOINT_POSITION: data.qpos[self._qpos],
            JOINT_VELOCITY: data.qvel[self._qvel],
            GRIPPER_OPENING: np.array([opening]),
            TOOL_POSE: pose,
            TIME: np.array([data.time]),
        }

    def state(self) -> np.ndarray:
        """float64 `mjSTATE_INTEGRATION`: restoring it restores everything, bit for bit."""
        state = np.empty(self._state_size)
        mujoco.mj_getState(self.model, self.data, state, STATE)
        return state

    def restore(self, state: np.ndarray) -> None:
        """Go to a state of this model; what diverged since is forgotten.

        Raises `InvalidOption` when the size is another model's.
        """
        if state.shape != (self._state_size,):
            raise InvalidOption(f"state has shape {state.shape}, this model's is ({self._state_size},): another model?")
        mujoco.mj_setState(self.model, self.data, state, STATE)
        for kind in _BAD:
            self.data.warning[kind].number = 0
        self._derive()
