"""A body's specification made from what a dataset says: names, rate, cameras, and the ranges that were seen in it.

A dataset gives no limits, no kinematics and no calibration. The ranges here describe the recording; nothing may be
driven by them, and the action's kind is `custom`, so that no policy of Tandem's own takes it for a layout it knows.
"""

from __future__ import annotations

import numpy as np

from tandem.bridge.contract.action import ActionKind, ActionSpec
from tandem.bridge.contract.errors import InvalidSpec, UnusableDataset
from tandem.bridge.contract.spec import BodySpec, CameraSpec, StopBehaviour
from tandem.bridge.datasets.trajectory import Trajectory, View

GRIPPER = "gripper"
_MARGIN = 1e-3  # a joint that never moved still has a range


def body_of(trajectory: Trajectory) -> BodySpec:
    """The specification in the dataset, else one made from this episode; raises `UnusableDataset` if none can be."""
    if trajectory.spec is not None:
        return _fitting(trajectory, trajectory.spec)
    try:
        return _made_from(trajectory)
    except InvalidSpec as reason:
        raise UnusableDataset(f"{trajectory.source} describes no body: {reason}") from reason


def _fitting(trajectory: Trajectory, spec: BodySpec) -> BodySpec:
    joints = trajectory.measured.get("joint_position", trajectory.state[:, : joint_count(trajectory)])
    if spec.action.names != trajectory.action_names or spec.dof != joints.shape[1]:
        raise UnusableDataset(
            f"{trajectory.source}: its specification has {spec.dof} joints and actions {spec.action.names}, its rows "
            f"{joints.shape[1]} and {trajectory.action_names}"
        )
    return spec


def _made_from(trajectory: Trajectory) -> BodySpec:
    joints = trajectory.state[:, : joint_count(trajectory)]
    low, high = _range(joints)
    speeds = [_largest(joints, order, trajectory.fps) for order in (1, 2, 3)]
    return BodySpec(
        robot=trajectory.robot or "unknown", joint_names=trajectory.state_names[: joints.shape[1]],
        position_low=low, position_high=high, velocity_limit=speeds[0], acceleration_limit=speeds[1],
        jerk_limit=speeds[2], home=joints[0], control_hz=trajectory.fps,
        cameras=tuple(_camera(view) for view in trajectory.views),
        action=ActionSpec(trajectory.action_names, *_range(trajectory.actions), ActionKind.CUSTOM),
        stop=StopBehaviour.HOLD, kinematics="<mujoco/>", tool_site="", gripper=None,
    )


def joint_count(trajectory: Trajectory) -> int:
    """How many elements of a state are joints: all but a last one that is called a gripper."""
    names = trajectory.state_names
    return len(names) - 1 if len(names) > 1 and GRIPPER in names[-1].lower() else len(names)


def _range(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return values.min(axis=0) - _MARGIN, values.max(axis=0) + _MARGIN


def _largest(values: np.ndarray, order: int, fps: float) -> np.ndarray:
    """Largest derivative of that order that was seen, at least the margin."""
    if len(values) <= order:
        return np.full(values.shape[1], _MARGIN)
    return np.maximum(np.abs(np.diff(values, order, axis=0)).max(axis=0) * fps**order, _MARGIN)


def _camera(view: View) -> CameraSpec:
    """No calibration is known: a pinhole that sees 90 degrees across, at the base."""
    focal = view.width / 2
    intrinsics = np.array([[focal, 0, view.width / 2], [0, focal, view.height / 2], [0, 0, 1]])
    return CameraSpec(view.camera, view.width, view.height, intrinsics, "base", np.eye(4))
