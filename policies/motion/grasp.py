"""Choosing a grasp from above: along which of an object's two axes to close, which way round, and how deep."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tandem.bridge.contract import FailureCode, GripperSpec, SkillFailed, Target
from tandem.policies.motion.clutter import Clutter
from tandem.policies.motion.jaws import CLEARANCE_M, Jaws
from tandem.policies.motion.kinematics import Arm
from tandem.policies.motion.pose import at_height, beside, moved, top_down

TIP_ABOVE_TABLE_M = 0.004
_SHALLOWEST_M, _DEEPEST_M = 0.012, 0.022  # how far the tips reach below an object's top
_KEEP_BELOW_M = 0.008
HOVERS_M = (0.07, 0.05, 0.035, 0.02)  # above the grasp: the first that the arm can reach
_SPARE_M = 0.008  # between an object and each finger on the way down
_EDGE_WEIGHT, _WIDTH_WEIGHT, _BLOCKED_WEIGHT = 0.6, 0.4, 4.0
_BLOCKED_POINTS = 12  # seen in the way of the fingers


@dataclass(frozen=True, eq=False)
class Grasp:
    """One grasp.

    Attributes:
        pose: (4, 4) of the tool when the fingers close.
        width_m: of the object between the fingers.
        opening: of the gripper on the way down, 0..1: as little as is safe, to pass between neighbours.
        yaw_offset_rad: the object's own x axis relative to the closing direction.
        hover: (4, 4) of the tool where it waits above.
        q: (n,) joint positions there.
    """

    pose: np.ndarray
    width_m: float
    opening: float
    yaw_offset_rad: float
    hover: np.ndarray
    q: np.ndarray


def tool_height(target: Target, gripper: GripperSpec) -> float:
    """Height of the tool at the grasp: the tips reach down to its middle, as far as the table allows."""
    top, height = float(target.surface[2]), float(target.size[2])
    depth = float(np.clip(height / 2, _SHALLOWEST_M, _DEEPEST_M))
    depth = min(depth, max(height - _KEEP_BELOW_M, 0.6 * height))
    tip = max(top - depth, TIP_ABOVE_TABLE_M)
    return tip + gripper.finger_depth_m


def closings(target: Target, jaws: Jaws) -> list[tuple[float, float]]:
    """(angle of closing relative to the object's x axis, width) for the axes that fit between the fingers.

    Raises:
        SkillFailed: `GRASP_FAILED` when the object is too wide either way.
    """
    widest = jaws.widest_m - 2 * CLEARANCE_M
    fitting = [
        (angle, float(width)) for angle, width in zip((0.0, np.pi / 2), target.size[:2], strict=True) if width <= widest
    ]
    if not fitting:
        raise SkillFailed(
            FailureCode.GRASP_FAILED,
            f"the object is {min(target.size[:2]) * 1e3:.0f} mm wide, the gripper takes {widest * 1e3:.0f} mm",
        )
    return [(angle + flip, width) for angle, width in fitting for flip in (0.0, np.pi)]


def choose(
    target: Target, arm: Arm, near: np.ndarray, clutter: Clutter | None = None, carry: np.ndarray | None = None
) -> Grasp:
    """The best grasp from above.

    Args:
        target: the object.
        arm: which arm.
        near: (n,) present joint positions.
        clutter: what stands around it, None when nothing is known.
        carry: (3,) a straight way that the arm must be able to go while it holds on, None for none.

    Raises:
        SkillFailed: `GRASP_FAILED` when it is too wide, `UNREACHABLE` when no closing direction is in reach.
    """
    position = np.array([*target.surface[:2], tool_height(target, arm.spec.gripper)])
    best: tuple[float, Grasp] | None = None
    for angle, width in closings(target, arm.jaws):
        opening = arm.jaws.opening(width + 2 * _SPARE_M)
        pose = beside(top_down(position, target.yaw_rad + angle), arm.jaws.centre_open(width, opening))
        hover, q = _hover(pose, arm, near, np.zeros(3) if carry is None else carry)
        if q is None:
            continue
        cost = _cost(q, arm, near) + _WIDTH_WEIGHT * width / arm.jaws.widest_m + 2.0 * (HOVERS_M[0] - hover)
        if clutter is not None:
            cost += _BLOCKED_WEIGHT * min(1.0, clutter.blocks(pose, arm.jaws.faces(opening), arm) / _BLOCKED_POINTS)
        if best is None or cost < best[0]:
            best = cost, Grasp(pose, width, opening, -angle, at_height(pose, pose[2, 3] + hover), q)
    if best is None:
        raise SkillFailed(
            FailureCode.UNREACHABLE,
            f"no grasp from above is in reach at x {position[0]:.3f}, y {position[1]:.3f}, z {position[2]:.3f} m",
        )
    return best[1]


def _hover(
    pose: np.ndarray, arm: Arm, near: np.ndarray, carry: np.ndarray
) -> tuple[float, np.ndarray | None]:
    """The highest hover (m) with its joint positions (n,) from which grasp and way are in reach on the same branch."""
    for height in HOVERS_M:
        for seed in arm.seeds(pose, near):
            q = arm.ik(at_height(pose, pose[2, 3] + height), seed)
            if q is not None and arm.leads([pose, moved(pose, carry)], q):
                return height, q
    return 0.0, None


def _cost(q: np.ndarray, arm: Arm, near: np.ndarray) -> float:
    """Small when the arm turns little and stays away from its joint limits."""
    span = arm.high - arm.low
    travel = float((np.abs(q - near) / span).max())
    edge = float((np.abs(q - (arm.low + arm.high) / 2) / (span / 2)).max())
    return travel + _EDGE_WEIGHT * max(0.0, edge - 0.7) / 0.3
