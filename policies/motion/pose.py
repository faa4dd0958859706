"""Poses as (4, 4) matrices, and the one orientation that table work is made of: the tool pointing down.

Angles are about the base's z axis. The tool's z is its approach, its y the direction in which the fingers close.
"""

from __future__ import annotations

import mink
import numpy as np


def top_down(position: np.ndarray, yaw_rad: float) -> np.ndarray:
    """(4, 4) pose of a tool at `position` (3,) pointing down, its fingers closing along the angle `yaw_rad`."""
    cosine, sine = np.cos(yaw_rad), np.sin(yaw_rad)
    pose = np.eye(4)
    pose[:3, :3] = [[-sine, cosine, 0.0], [cosine, sine, 0.0], [0.0, 0.0, -1.0]]
    pose[:3, 3] = position
    return pose


def facing(position: np.ndarray, approach: np.ndarray, closing: np.ndarray) -> np.ndarray:
    """(4, 4) pose at `position` with the given unit approach and closing directions, which are perpendicular."""
    pose = np.eye(4)
    pose[:3, 0] = np.cross(closing, approach)
    pose[:3, 1], pose[:3, 2], pose[:3, 3] = closing, approach, position
    return pose


def closing_yaw(pose: np.ndarray) -> float:
    """Angle in the base's plane along which the fingers of a tool at `pose` close, rad."""
    return float(np.arctan2(pose[1, 1], pose[0, 1]))


def moved(pose: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """The pose shifted by `offset` (3,) metres in the base frame."""
    shifted = pose.copy()
    shifted[:3, 3] += offset
    return shifted


def beside(pose: np.ndarray, aside_m: float) -> np.ndarray:
    """The pose of a tool that has a point `aside_m` along its own y where it had its origin before."""
    return moved(pose, -aside_m * pose[:3, 1])


def at_height(pose: np.ndarray, z_m: float) -> np.ndarray:
    """The pose with another height."""
    shifted = pose.copy()
    shifted[2, 3] = z_m
    return shifted


def between(start: np.ndarray, goal: np.ndarray, fraction: float) -> np.ndarray:
    """The pose a fraction of the way along the straight line, turning about one axis at a constant rate."""
    turn = mink.SO3.from_matrix(start[:3, :3].T @ goal[:3, :3]).log()
    pose = np.eye(4)
    pose[:3, :3] = start[:3, :3] @ mink.SO3.exp(fraction * turn).as_matrix()
    pose[:3, 3] = start[:3, 3] + fraction * (goal[:3, 3] - start[:3, 3])
    return pose


def around(start: np.ndarray, goal: np.ndarray, fraction: float) -> np.ndarray:
    """As `between`, but on an arc about the base: distance from the base's axis, azimuth and height change evenly."""
    pose = between(start, goal, fraction)
    reach = (1 - fraction) * np.hypot(*start[:2, 3]) + fraction * np.hypot(*goal[:2, 3])
    begin = np.arctan2(start[1, 3], start[0, 3])
    angle = begin + fraction * wrapped(np.arctan2(goal[1, 3], goal[0, 3]) - begin)
    pose[:2, 3] = reach * np.cos(angle), reach * np.sin(angle)
    return pose


def angle_between(start: np.ndarray, goal: np.ndarray) -> float:
    """Rotation from one pose to another, rad."""
    return float(np.linalg.norm(mink.SO3.from_matrix(start[:3, :3].T @ goal[:3, :3]).log()))


def wrapped(angle_rad: float, period_rad: float = 2 * np.pi) -> float:
    """The same angle nearest to zero, up to multiples of a period."""
    return float((angle_rad + period_rad / 2) % period_rad - period_rad / 2)
