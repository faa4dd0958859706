"""Forward and inverse kinematics of any arm, from the model that the body declares.

Differential inverse kinematics by mink (a quadratic program with joint limits, solved by daqp), iterated to a point.
An arm with fewer than six joints cannot take every orientation: for it the position is exact and the orientation as
close as the arm gets, so that it tilts only where it must.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import mink
import mujoco
import numpy as np

from tandem.bridge.contract import BodySpec, FailureCode, InvalidSpec, SkillFailed
from tandem.policies.motion.jaws import Jaws
from tandem.policies.motion.pose import closing_yaw, wrapped

LIMIT_MARGIN_RAD = 0.01
POSITION_TOLERANCE_M = 5e-5
ANGLE_TOLERANCE_RAD = 1e-3
MAX_TILT_RAD = 0.7  # for arms that cannot take every orientation
MAX_TURN_RAD = 0.12
_MAX_STEP_RAD = 0.6
_ITERATIONS = 40


class Arm:
    """Kinematics of the arm of a body.

    Args:
        spec: the body's specification.

    Raises:
        InvalidSpec: the kinematic model lacks a joint or the tool site.
    """

    def __init__(self, spec: BodySpec):
        self.spec = spec
        self.exact = spec.dof >= 6
        self.model = _compile(spec)
        self.jaws = Jaws(spec, self.model)
        addresses = [self.model.joint(name).qposadr[0] for name in spec.joint_names]
        self._columns = np.array(addresses)
        self._model_limits()
        self._configuration = mink.Configuration(self.model)
        weight = 0.3 if self.exact else np.array([0.004, 0.004, 0.008])
        self._frame = mink.FrameTask(spec.tool_site, "site", position_cost=1.0, orientation_cost=weight)
        self._posture = mink.PostureTask(self.model, cost=1e-3 if self.exact else 1e-6)
        self._limits = [mink.ConfigurationLimit(self.model)]
        self._pan, self._roll = self._vertical_axis(0), self._vertical_axis(-1)

    def _model_limits(self) -> None:
        for name, low, high in zip(
            self.spec.joint_names, self.spec.position_low, self.spec.position_high, strict=True
        ):
            joint = self.model.joint(name)
            self.model.jnt_limited[joint.id] = 1
            self.model.jnt_range[joint.id] = low + LIMIT_MARGIN_RAD, high - LIMIT_MARGIN_RAD
        self.low = self.spec.position_low + LIMIT_MARGIN_RAD
        self.high = self.spec.position_high - LIMIT_MARGIN_RAD

    def _vertical_axis(self, joint: int) -> float:
        """+1 or -1 when a joint turns about the base's z axis at the rest pose, 0 when it does not."""
        self._set(self.spec.home)
        axis = self._configuration.data.xaxis[self.model.joint(self.spec.joint_names[joint]).id]
        return float(np.sign(axis[2])) if abs(axis[2]) > 0.99 else 0.0

    def _set(self, q: np.ndarray) -> None:
        full = self._configuration.data.qpos.copy()
        full[self._columns] = q
        self._configuration.update(full)

    def fk(self, q: np.ndarray) -> np.ndarray:
        """(4, 4) pose of the tool in the base frame for joint positions (n,)."""
        self._set(q)
        return self._configuration.get_transform_frame_to_world(self.spec.tool_site, "site").as_matrix()

    def link_pose(self, link: str, q: np.ndarray) -> np.ndarray:
        """(4, 4) pose of a link in the base frame for joint positions (n,)."""
        self._set(q)
        return self._configuration.get_transform_frame_to_world(link, "body").as_matrix()

    def posed(self, q: np.ndarray, opening: float) -> mujoco.MjData:
        """The model's data with the arm and the fingers in place, for outlines; overwritten by the next call."""
        self._set(q)
        self.jaws.place(self._configuration.data, opening)
        self._configuration.update()
        return self._configuration.data

    def ik(self, T_base_tool: np.ndarray, seed: np.ndarray, *, posture: np.ndarray | None = None) -> np.ndarray | None:
        """Joint positions (n,) that bring the tool there, from one seed; None when it does not converge.

        Args:
            T_base_tool: (4, 4) goal.
            seed: (n,) where to start.
            posture: (n,) towards which a redundant arm settles; the seed when None.
        """
        self._frame.set_target(mink.SE3.from_matrix(T_base_tool))
        self._set(np.clip(seed if posture is None else posture, self.low, self.high))
        self._posture.set_target_from_configuration(self._configuration)
        self._set(np.clip(seed, self.low, self.high))
        return self._converge()

    def _converge(self, iterations: int = _ITERATIONS) -> np.ndarray | None:
        tasks = [self._frame, self._posture]
        moved = np.inf
        for _ in range(iterations):
            if self._settled(moved):
                return self._configuration.data.qpos[self._columns].copy()
            step = mink.solve_ik(self._configuration, tasks, 1.0, "daqp", damping=1e-9, limits=self._limits)
            moved = float(np.abs(step).max())
            self._configuration.integrate_inplace(step * min(1.0, _MAX_STEP_RAD / max(moved, 1e-9)), 1.0)
        return self._configuration.data.qpos[self._columns].copy() if self._settled(moved) else None

    def towards(self, T_base_tool: np.ndarray, seed: np.ndarray, *, posture: np.ndarray, steps: int = 4) -> np.ndarray:
        """Joint positions (n,) that bring the tool there, or as near to it as so many steps and the joint limits allow.

        Args:
            T_base_tool: (4, 4) goal, near to where the seed is.
            seed: (n,) where to start.
            posture: (n,) towards which a redundant arm settles.
            steps: most iterations.
        """
        self._frame.set_target(mink.SE3.from_matrix(T_base_tool))
        self._set(np.clip(posture, self.low, self.high))
        self._posture.set_target_from_configuration(self._configuration)
        self._set(np.clip(seed, self.low, self.high))
        self._converge(steps)
        return self._configuration.data.qpos[self._columns].copy()

    def _settled(self, moved: float) -> bool:
        error = self._frame.compute_error(self._configuration)
        if np.abs(error[:3]).max() > POSITION_TOLERANCE_M:
            return False
        if self.exact:
            return bool(np.abs(error[3:]).max() <= ANGLE_TOLERANCE_RAD)
        return moved < 1e-3 and bool(np.linalg.norm(error[3:5]) <= MAX_TILT_RAD) and abs(error[5]) <= MAX_TURN_RAD

    def seeds(self, T_base_tool: np.ndarray, near: np.ndarray) -> list[np.ndarray]:
        """Where to start searching: at the rest pose turned towards the goal and rolled as it is, and near a pose."""
        rest = self.spec.home
        here = self.fk(rest)
        turned = rest.copy()
        azimuths = (np.arctan2(pose[1, 3], pose[0, 3]) for pose in (T_base_tool, here))
        turn = wrapped(next(azimuths) - next(azimuths)) if self._pan else 0.0
        turned[0] = np.clip(rest[0] + self._pan * turn, self.low[0], self.high[0])
        roll = wrapped(closing_yaw(T_base_tool) - closing_yaw(here) - turn) * self._roll
        return [self._rolled(turned, roll), near, rest]

    def _rolled(self, q: np.ndarray, roll_rad: float) -> np.ndarray:
        """The last joint turned by an angle, or the other way round where its range ends."""
        rolled, last = q.copy(), len(q) - 1
        angles = [q[last] + roll_rad + turn for turn in (0.0, -2 * np.pi, 2 * np.pi)]
        within = [angle for angle in angles if self.low[last] <= angle <= self.high[last]]
        rolled[last] = min(within, key=abs, default=q[last])
        return rolled

    def reach(self, T_base_tool: np.ndarray, near: np.ndarray) -> np.ndarray:
        """The joint positions (n,) for a pose that are nearest to `near`. Raises `SkillFailed` (`UNREACHABLE`)."""
        found = [self.ik(T_base_tool, seed) for seed in self.seeds(T_base_tool, near)]
        reachable = [q for q in found if q is not None]
        if not reachable:
            raise SkillFailed(FailureCode.UNREACHABLE, f"no joint positions within limits: {describe(T_base_tool)}")
        return min(reachable, key=lambda q: float(np.abs(q - near).max()))

    def reachable(self, T_base_tool: np.ndarray, near: np.ndarray) -> bool:
        """Whether some joint positions within limits bring the tool there."""
        return any(self.ik(T_base_tool, seed) is not None for seed in self.seeds(T_base_tool, near))

    def leads(self, poses: Iterable[np.ndarray], start: np.ndarray) -> bool:
        """Whether the arm gets from joint positions (n,) to one pose after the other without leaving its branch."""
        q: np.ndarray | None = start
        for pose in poses:
            q = self.ik(pose, q)
            if q is None:
                return False
        return True

    def track(self, poses: Iterable[np.ndarray], start: np.ndarray) -> np.ndarray:
        """(T, n) joint positions along a path of tool poses, each from the one before. Raises `SkillFailed`."""
        q, path = start, []
        for pose in poses:
            found = self.ik(pose, q)
            if found is None:
                raise SkillFailed(FailureCode.UNREACHABLE, f"the straight path leaves the reach at {describe(pose)}")
            q = found
            path.append(q)
        return np.array(path)

    def heights(self, path: Sequence[np.ndarray]) -> np.ndarray:
        """(T,) heights of the tool along a joint path, metres."""
        return np.array([self.fk(q)[2, 3] for q in path])


def describe(pose: np.ndarray) -> str:
    """A pose in words, for messages."""
    x, y, z = pose[:3, 3]
    return f"tool at x {x:.3f}, y {y:.3f}, z {z:.3f} m"


def _compile(spec: BodySpec) -> mujoco.MjModel:
    try:
        model = mujoco.MjSpec.from_string(spec.kinematics)
        for equality in list(model.equalities):  # the fingers' coupling: no part of the arm's kinematics
            model.delete(equality)
        compiled = model.compile()
        for name in spec.joint_names:
            compiled.joint(name)
        compiled.site(spec.tool_site)
    except (ValueError, KeyError) as reason:
        raise InvalidSpec(f"the kinematic model of {spec.robot!r} is unusable: {reason}") from reason
    return compiled
