"""What the numbers of a point are: where the tool goes as seen from where it is, or joints as seen from where they are.

Both are differences from the present, so that what was learned in one place holds in another. `TOOL` is the same for
every arm and every posture; the arm's own kinematics then say which joints that takes.
"""

from __future__ import annotations

from enum import StrEnum

import mujoco
import numpy as np

from tandem.bridge.contract import BodySpec
from tandem.policies.motion.kinematics import Arm


class Layout(StrEnum):
    """The layouts."""

    TOOL = "tool"  # position (3,) m and rotation vector (3,) rad in the present tool's frame, opening
    JOINT = "joint"  # joints (n,) rad less the present ones, opening

    def size(self, dof: int) -> int:
        """Numbers of a point, for an arm of so many joints."""
        return 7 if self is Layout.TOOL else dof + 1


def encode(layout: Layout, q: np.ndarray, tool: np.ndarray, actions: np.ndarray, tools: np.ndarray) -> np.ndarray:
    """(B, K, a) points.

    Args:
        layout: which.
        q: (B, n) measured joints.
        tool: (B, 7) measured pose of the tool.
        actions: (B, K, n + 1) joint targets and opening.
        tools: (B, K, 7) poses of the tool at these targets.
    """
    if layout is Layout.JOINT:
        ahead = actions[..., :-1] - q[:, None]
    else:
        back = conjugate(tool[:, None, 3:])
        place = rotate(back, tools[..., :3] - tool[:, None, :3])
        ahead = np.concatenate([place, rotation_vector(multiply(back, tools[..., 3:]))], -1)
    return np.concatenate([ahead, actions[..., -1:]], -1)


class Decoder:
    """Turns points back into actions of the body.

    Args:
        layout: which.
        spec: the body's specification.
        arm: its kinematics.
    """

    def __init__(self, layout: Layout, spec: BodySpec, arm: Arm):
        self._layout, self._spec, self._arm = layout, spec, arm
        self._most = spec.velocity_limit * spec.dt_s

    def decode(self, actions: np.ndarray, q: np.ndarray, tool: np.ndarray) -> np.ndarray:
        """(T, n + 1) joint targets and opening, one for each control step from now on, within all bounds.

        Args:
            actions: (T, a) points, one for each control step.
            q: (n,) measured joints.
            tool: (7,) measured pose of the tool.
        """
        if self._layout is Layout.JOINT:
            joints = q + actions[:, :-1]
        else:
            joints = self._followed(actions[:, :-1], q, tool)
        low, high = self._spec.action.low, self._spec.action.high
        return np.clip(np.column_stack([self._paced(joints, q), actions[:, -1]]), low, high)

    def _followed(self, ahead: np.ndarray, q: np.ndarray, tool: np.ndarray) -> np.ndarray:
        """(T, n): each pose by the joints nearest to the one before, in the posture that the arm likes there."""
        joints, pose = [], np.eye(4)
        for row in ahead:
            pose[:3, 3] = tool[:3] + rotate(tool[3:], row[:3])
            pose[:3, :3] = matrix(multiply(tool[3:], quaternion(row[3:])))
            q = self._arm.towards(pose, q, posture=self._arm.seeds(pose, q)[0])
            joints.append(q)
        return np.array(joints)

    def _paced(self, joints: np.ndarray, q: np.ndarray) -> np.ndarray:
        """No faster than the joints may turn."""
        paced = np.empty_like(joints)
        for i, wanted in enumerate(joints):
            paced[i] = q = q + np.clip(wanted - q, -self._most, self._most)
        return paced


def pose_of(arm: Arm, q: np.ndarray) -> np.ndarray:
    """(7,) of the tool for joints (n,)."""
    pose, quaternion = arm.fk(q), np.empty(4)
    mujoco.mju_mat2Quat(quaternion, np.ascontiguousarray(pose[:3, :3]).ravel())
    return np.append(pose[:3, 3], quaternion)


# Quaternions w x y z in arrays (..., 4).

def conjugate(quaternions: np.ndarray) -> np.ndarray:
    """The inverse rotations."""
    return quaternions * np.array([1.0, -1.0, -1.0, -1.0])


def multiply(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Hamilton's product."""
    w, v, x, u = first[..., :1], first[..., 1:], second[..., :1], second[..., 1:]
    v, u = np.broadcast_arrays(v, u)
    scalar = w * x - (v * u).sum(-1, keepdims=True)
    return np.concatenate([scalar, w * u + x * v + np.cross(v, u)], -1)


def rotate(quaternions: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Vectors (..., 3) turned."""
    v = quaternions[..., 1:]
    twice = 2 * np.cross(*np.broadcast_arrays(v, vectors))
    return vectors + quaternions[..., :1] * twice + np.cross(*np.broadcast_arrays(v, twice))


def rotation_vector(quaternions: np.ndarray) -> np.ndarray:
    """(..., 3) axis times angle, of at most half a turn."""
    q = np.where(quaternions[..., :1] < 0, -quaternions, quaternions)
    sine = np.linalg.norm(q[..., 1:], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(sine, q[..., :1])
    return q[..., 1:] * np.where(sine > 1e-9, angle / np.maximum(sine, 1e-9), 2.0)


def quaternion(vector: np.ndarray) -> np.ndarray:
    """(4,) of a rotation vector (3,)."""
    angle = float(np.linalg.norm(vector))
    made = np.array([1.0, 0.0, 0.0, 0.0])
    if angle > 0:
        mujoco.mju_axisAngle2Quat(made, vector / angle, angle)
    return made


def matrix(quaternion: np.ndarray) -> np.ndarray:
    """(3, 3) rotation."""
    made = np.empty(9)
    mujoco.mju_quat2Mat(made, np.ascontiguousarray(quaternion))
    return made.reshape(3, 3)
