"""Finds free places on the table, within the robot's reach and clear of one another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tandem.bridge.contract import InvalidOption
from tandem.bridge.robots import Robot, Workspace

TRIES = 2000
RESTARTS, TRIES_EACH = 100, 400
EDGE_M = 0.015
IN_VIEW_RAD = 1.0  # to either side, the front camera sees the whole reach


def finger_gap_m(robot: Robot) -> float:
    """Free space that a finger needs beside a thing, m."""
    return 2.2 * robot.gripper.finger_thickness_m


def sector(space: Workspace) -> tuple[float, float]:
    """Azimuths that are in reach and in view, rad."""
    return max(space.azimuth_low, -IN_VIEW_RAD), min(space.azimuth_high, IN_VIEW_RAD)


class Layout:
    """Draws places in the robot's workspace, each a disc that overlaps no other.

    Args:
        workspace: where the gripper reaches.
        rng: the random generator.
    """

    def __init__(self, workspace: Workspace, rng: np.random.Generator):
        self._workspace, self._rng = workspace, rng
        self._taken: list[tuple[np.ndarray, float]] = []

    def reserve(self, xy: np.ndarray, radius_m: float) -> None:
        """Keep a disc free of anything drawn later."""
        self._taken.append((np.asarray(xy, float), radius_m))

    def draw(self, radius_m: float, gap_m: float = EDGE_M, *, azimuth: tuple[float, float] | None = None) -> np.ndarray:
        """(2,) centre of a free disc whose centre is reachable.

        Args:
            radius_m: of the disc.
            gap_m: free space to any other disc.
            azimuth: a narrower sector than the workspace's, rad.

        Raises:
            InvalidOption: the table is full; a lower difficulty has fewer things.
        """
        xy = self.find(radius_m, gap_m, azimuth=azimuth)
        if xy is None:
            raise InvalidOption("no free place left on the table for this robot; ask for a lower difficulty")
        return xy

    def find(
        self, radius_m: float, gap_m: float = EDGE_M, *, azimuth: tuple[float, float] | None = None
    ) -> np.ndarray | None:
        """As `draw`, but None when the table is full: for things that may be left out."""
        space = self._workspace
        low, high = azimuth or sector(space)
        for _ in range(TRIES):
            reach = np.sqrt(self._rng.uniform(space.reach_min_m**2, space.reach_max_m**2))
            angle = self._rng.uniform(low, high)
            xy = reach * np.array([np.cos(angle), np.sin(angle)])
            if all(np.linalg.norm(xy - other) > radius_m + taken + gap_m for other, taken in self._taken):
                self.reserve(xy, radius_m)
                return xy
        return None

    def draw_many(self, discs: Sequence[tuple[float, float]], *, needed: int) -> list[np.ndarray]:
        """(2,) centres of as many discs as there is room for, in order. Starts over rather than give up early.

        Args:
            discs: radius, and free space to any other, of each, m; the ones that matter first.
            needed: how many of them must find a place.

        Raises:
            InvalidOption: there is no room for those.
        """
        before, best = list(self._taken), []
        for _ in range(RESTARTS):
            self._taken, found = list(before), []
            for radius, gap in discs:
                xy = self._free(radius, gap)
                if xy is None:
                    break
                found.append(xy)
                self.reserve(xy, radius)
            best = max(best, found, key=len)
            if len(best) == len(discs):
                break
        if len(best) < needed:
            raise InvalidOption("this robot's table has no room for all that the goal needs; ask for fewer things")
        self._taken = before + [(xy, radius) for xy, (radius, _) in zip(best, discs, strict=False)]
        return best

    def _free(self, radius_m: float, gap_m: float) -> np.ndarray | None:
        """(2,) a free place, None if many tries found none."""
        space = self._workspace
        reach = np.sqrt(self._rng.uniform(space.reach_min_m**2, space.reach_max_m**2, TRIES_EACH))
        low, high = sector(space)
        angle = self._rng.uniform(low, high, TRIES_EACH)
        places = np.column_stack([reach * np.cos(angle), reach * np.sin(angle)])
        free = np.ones(TRIES_EACH, bool)
        for other, taken in self._taken:
            free &= np.linalg.norm(places - other, axis=1) > radius_m + taken + gap_m
        return places[np.argmax(free)] if free.any() else None
