"""Targets from observations alone: a camera point, lifted through depth, grown into the thing that it shows.

It remembers what it saw. The arm comes between the camera and its target, so that an older look may be the better one;
and a plan's points are as old as the plan, so that a thing which the policy itself has moved since is looked for where
it was put.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from tandem.bridge.contract import BodySpec, CameraPoint, FailureCode, Observation, SkillFailed, Target
from tandem.bridge.contract import observation as keys
from tandem.policies.motion.kinematics import Arm
from tandem.policies.motion.targets.handle import with_outward
from tandem.policies.motion.targets.hollow import recognise_hollow, recognise_mouth
from tandem.policies.motion.targets.outline import Outline
from tandem.policies.motion.targets.region import Region, alike, grow, window
from tandem.policies.motion.targets.solid import recognise
from tandem.policies.motion.targets.view import View

_VIEWS = 4  # looks remembered
_SAME_POINT_PX = 25.0
_HIDDEN = 0.04  # share of a region's border behind the robot that makes an older look better
_SEARCH_M = 0.15
_HOLES = ("hole", "socket")  # what a peg goes into: its mouth counts, not its bottom


@dataclass
class Sighting:
    """What is known of a thing: the camera point it was first seen at, its colour, and where it was last."""

    point: CameraPoint
    chroma: np.ndarray
    target: Target


class DepthTargets:
    """A `TargetSource` that uses what the body measures and nothing else.

    Args:
        spec: the body's specification.
    """

    privileged = False

    def __init__(self, spec: BodySpec):
        self._spec, self._arm = spec, Arm(spec)
        self._outline = Outline(self._arm)
        self._views: deque[View] = deque(maxlen=_VIEWS)
        self._known: dict[str, Sighting] = {}

    def forget(self) -> None:
        """A new episode: nothing seen before counts."""
        self._views.clear()
        self._known.clear()

    def moved(self, words: str, target: Target) -> None:
        """The policy has put a thing somewhere: that is where to look for it next."""
        if words in self._known:
            self._known[words].target = target

    def locate(self, words: str, point: CameraPoint | None, observation: Observation) -> Target:
        """The target at a camera point. Raises `SkillFailed` (`OBJECT_NOT_FOUND`) and `UnknownName` (camera)."""
        if point is None:
            raise SkillFailed(FailureCode.OBJECT_NOT_FOUND, f"no camera point was given for {words!r}")
        self._look(point, observation)
        known = self._known.get(words)
        if known is not None and _same(known.point, point):
            known.target = self._again(words, known)
            return known.target
        target, chroma = self._at(words, point)
        self._known[words] = Sighting(point, chroma, target)
        return target

    def _look(self, point: CameraPoint, observation: Observation) -> None:
        time_s = float(observation[keys.TIME][0])
        if self._views and time_s < self._views[-1].time_s:
            self.forget()
        if not self._views or time_s > self._views[-1].time_s or self._views[-1].camera.name != point.camera:
            self._views.append(View.take(observation, self._spec.camera(point.camera), self._arm))

    def _at(self, words: str, point: CameraPoint) -> tuple[Target, np.ndarray]:
        """The target at a point and its colour, in the newest look in which the robot hides nothing of it."""
        best: tuple[float, Target, np.ndarray] | None = None
        for view in reversed(self._views):
            if view.camera.name != point.camera:
                continue
            row, column = view.pixel(point)
            rows, columns = window(view, row, column)
            robot = self._outline.hides(view, rows, columns)
            if robot[row - rows.start, column - columns.start]:
                continue
            region = grow(view, row, column, robot)
            if best is None or region.hidden < best[0] - _HIDDEN:
                best = region.hidden, self._recognise(words, view, (row, column), robot, region), region.chroma
            if best[0] <= _HIDDEN:
                break
        if best is None:
            raise SkillFailed(FailureCode.OBJECT_NOT_FOUND, f"the robot itself hides {words!r}")
        return best[1], best[2]

    @staticmethod
    def _recognise(
        words: str, view: View, pixel: tuple[int, int], robot: np.ndarray, region: Region
    ) -> Target:
        """A hole, a container or a solid, by what surrounds the pixel."""
        if any(word in words for word in _HOLES):
            mouth = recognise_mouth(view, *pixel, robot)
            if mouth is not None:
                return mouth
        target, container = recognise(region)
        hollow = None if container else recognise_hollow(view, *pixel, robot)
        return with_outward(target, view) if hollow is None else hollow

    def _again(self, words: str, known: Sighting) -> Target:
        """Where a thing is now that was seen before: nearest to where it was, of the same colour."""
        view = self._views[-1]
        row, column = view.project(known.target.surface)
        height, width = view.depth.shape
        if not (0 <= row < height and 0 <= column < width):
            return known.target
        rows, columns = window(view, row, column, _SEARCH_M + float(max(known.target.size[:2])))
        robot = self._outline.hides(view, rows, columns)
        mask = alike(view, rows, columns, known.chroma) & ~robot
        points = view.points[rows, columns]
        mask &= np.abs(points[..., 2] - known.target.surface[2]) < 0.02
        if not mask.any():
            return self._unseen(words, known, robot)
        pixels = np.argwhere(mask)
        away = np.linalg.norm(points[mask] - known.target.surface, axis=1)
        nearest = pixels[int(np.argmin(away))] + (rows.start, columns.start)
        region = grow(view, int(nearest[0]), int(nearest[1]), self._window_robot(view, nearest), known.chroma)
        return known.target if region.hidden > _HIDDEN else with_outward(recognise(region)[0], view)

    def _window_robot(self, view: View, pixel: np.ndarray) -> np.ndarray:
        rows, columns = window(view, int(pixel[0]), int(pixel[1]))
        return self._outline.hides(view, rows, columns)

    def _unseen(self, words: str, known: Sighting, robot: np.ndarray) -> Target:
        """Not in sight: behind the robot it may still be where it was; in plain view it is gone."""
        if robot.any():
            return known.target
        raise SkillFailed(FailureCode.OBJECT_NOT_FOUND, f"{words!r} is no longer where it was")


def _same(first: CameraPoint, second: CameraPoint) -> bool:
    return first.camera == second.camera and np.hypot(first.u - second.u, first.v - second.v) < _SAME_POINT_PX
