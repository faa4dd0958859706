"""Where in a container to let go: clear of the walls, with room for the fingers, and beside what lies there already."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tandem.bridge.contract import GripperSpec, Target
from tandem.policies.motion.memory import Held

_WALL_M = 0.007  # of the outline that belongs to the walls
_SPARE_M = 0.003
_STEPS = 7  # of the grid, to either side
_LOW_M = 0.008  # what is lower than this above the floor is the floor
_ENOUGH_M = 0.012  # more distance to other things is worth nothing
_TURN_WEIGHT = 0.05
RELEASE_M = 0.02  # how much wider than the object the fingers open to let go


@dataclass(frozen=True, eq=False)
class Spot:
    """A place in a container.

    Attributes:
        xy: (2,) where the object's middle goes, in the base frame.
        yaw_rad: along which the fingers close, up to half turns.
        support_m: height of what the object will stand on.
        fingers_fit: the fingers fit between the walls beside it.
    """

    xy: np.ndarray
    yaw_rad: float
    support_m: float
    fingers_fit: bool


def choose(target: Target, held: Held, gripper: GripperSpec, points: np.ndarray, yaw_now: float) -> Spot:
    """The best place.

    Args:
        target: the container.
        held: what is in the hand.
        gripper: whose fingers.
        points: (N, 3) what is known to lie in and around the container, in the base frame.
        yaw_now: along which the fingers close now.
    """
    inside = _within(target, points)
    spots = [_cheapest(target, held, gripper, inside, quarter) for quarter in (0, 1)]
    turns = [abs((target.yaw_rad + k * np.pi / 2 - yaw_now + np.pi / 2) % np.pi - np.pi / 2) for k in (0, 1)]
    best = min((0, 1), key=lambda quarter: spots[quarter][0] + _TURN_WEIGHT * turns[quarter])
    return spots[best][1]


def _within(target: Target, points: np.ndarray) -> np.ndarray:
    """(M, 3) points above the floor and within the walls, in the container's frame, height above its floor."""
    local = np.empty_like(points)
    local[:, :2] = (points[:, :2] - target.surface[:2]) @ _axes(target.yaw_rad)
    local[:, 2] = points[:, 2] - target.surface[2]
    keep = (np.abs(local[:, :2]) < target.size[:2] / 2 - _WALL_M).all(axis=1) & (local[:, 2] > _LOW_M)
    return local[keep]


def _axes(yaw_rad: float) -> np.ndarray:
    cosine, sine = np.cos(yaw_rad), np.sin(yaw_rad)
    return np.array([[cosine, -sine], [sine, cosine]])


def _cheapest(
    target: Target, held: Held, gripper: GripperSpec, inside: np.ndarray, quarter: int
) -> tuple[float, Spot]:
    """The best place with the fingers closing along the container's x (quarter 0) or y (1), and its cost."""
    width, depth = held.extents
    inner = (target.size[:2] / 2 - _WALL_M)[:: -1 if quarter else 1]  # half extents along and across the closing
    body = np.array([width, depth]) / 2 + _SPARE_M
    fingers = np.array([
        (width + RELEASE_M) / 2 + gripper.finger_thickness_m, max(depth, gripper.finger_width_m) / 2
    ]) + _SPARE_M
    fit = bool((fingers <= inner).all())
    free = np.maximum(inner - (fingers if fit else body), 0.0)
    others = inside[:, [1, 0, 2]] if quarter else inside
    best: tuple[float, np.ndarray, float] = (np.inf, np.zeros(2), 0.0)
    for centre in _grid(free):
        away = (np.abs(others[:, :2] - centre) - (fingers if fit else body)).max(axis=1)
        support = others[(np.abs(others[:, :2] - centre) < body).all(axis=1), 2].max(initial=0.0)
        room = float(np.clip(away.min(initial=_ENOUGH_M), -0.05, _ENOUGH_M))
        cost = -20.0 * room + 20.0 * float(support) + float(np.linalg.norm(centre)) + (0.0 if fit else 0.5)
        if cost < best[0]:
            best = cost, centre, float(support)
    cost, centre, support = best
    local = centre[::-1] if quarter else centre
    xy = target.surface[:2] + _axes(target.yaw_rad) @ local
    return cost, Spot(xy, target.yaw_rad + quarter * np.pi / 2, float(target.surface[2]) + support, fit)


def _grid(free: np.ndarray) -> list[np.ndarray]:
    """Centres within plus or minus `free` (2,), the middle first."""
    lines = [np.linspace(-extent, extent, _STEPS) if extent > 0.002 else np.zeros(1) for extent in free]
    centres = [np.array([x, y]) for x in lines[0] for y in lines[1]]
    return sorted(centres, key=lambda centre: float(np.linalg.norm(centre)))
