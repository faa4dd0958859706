"""Targets from observations alone: a camera point, lifted through depth, grown into the thing that it shows.

It remembers what it saw. The arm comes between the camera and its target, so that an older look may be the better one;
and a plan's points are as old as the plan, so that a thing which has moved since is looked for: where the policy put
it, or by the colour that its words name.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tandem.bridge.contract import BodySpec, CameraPoint, CameraSpec, FailureCode, Observation, SkillFailed, Target
from tandem.bridge.contract import observation as keys
from tandem.policies.motion.kinematics import Arm
from tandem.policies.motion.targets import colours
from tandem.policies.motion.targets.glimpse import Glimpse
from tandem.policies.motion.targets.mouth import mouth_from_above
from tandem.policies.motion.targets.outline import Outline
from tandem.policies.motion.targets.region import alike, window
from tandem.policies.motion.targets.view import View

_VIEWS, _APART_S = 5, 3.0  # looks remembered, and the time between them
_SAME_POINT_PX = 25.0
_HIDDEN, _MOSTLY_HIDDEN = 0.04, 0.15  # share of a border behind the robot: an older look is better; none is good
_SEARCH_M, _SAME_HEIGHT_M = 0.15, 0.02
_BEHIND_M = (0.10, 0.08, 0.12, 0.14)  # of a handle: where the inside of its drawer is looked for


@dataclass
class Sighting:
    """What is known of a thing: where it was first seen and in what colour, where it was last, and if in doubt."""

    point: CameraPoint
    colour: np.ndarray
    target: Target
    doubted: bool = False


class DepthTargets:
    """A `TargetSource` that uses what the body measures and nothing else.

    Args:
        spec: the body's specification.
        second_look: look again from near, through a depth camera on the arm, where a skill asks for it.

    Attributes:
        eye: that camera; None without a second look, or when the body has no such camera.
    """

    privileged = False

    def __init__(self, spec: BodySpec, *, second_look: bool = True):
        riding = (camera for camera in spec.cameras if camera.depth and camera.mount != "base")
        self.eye: CameraSpec | None = next(riding, None) if second_look else None
        self._spec, self._arm = spec, Arm(spec)
        self._outline = Outline(self._arm)
        self._views: list[View] = []
        self._known: dict[str, Sighting] = {}

    def forget(self) -> None:
        """A new episode: nothing seen before counts."""
        self._views.clear()
        self._known.clear()

    def moved(self, words: str, target: Target) -> None:
        """The policy has put a thing somewhere: that is where to look for it next."""
        if words in self._known:
            self._known[words].target = target

    def doubt(self, words: str) -> None:
        """The policy did not find a thing where it was believed to be: memory does not count until it is seen again."""
        if words in self._known:
            self._known[words].doubted = True

    def locate(self, words: str, point: CameraPoint | None, observation: Observation) -> Target:
        """The target at a camera point. Raises `SkillFailed` (`OBJECT_NOT_FOUND`) and `UnknownName` (camera)."""
        self._notice_time(float(observation[keys.TIME][0]))
        known = self._known.get(words)
        if point is None and known is None:
            raise SkillFailed(FailureCode.OBJECT_NOT_FOUND, f"no camera point was given for {words!r}")
        self._look(known.point.camera if point is None else point.camera, observation)
        if known is not None and (point is None or _same(known.point, point)):
            seen = self._again(words, known) or self._elsewhere(words, known)
            if seen is None and known.doubted:
                raise SkillFailed(FailureCode.OBJECT_NOT_FOUND, f"{words!r} is not where it was, and not in sight")
            if seen is not None:
                known.target, known.doubted = seen, False
            return known.target
        found = self._at(words, point)
        self._known[words] = Sighting(point, found.region.colour, found.target)
        return found.target

    def spot(self, words: str, point: CameraPoint, observation: Observation) -> Target:
        """A place to bring something to: the thing at a camera point, or the point itself where the table is bare.

        Raises `SkillFailed` (`OBJECT_NOT_FOUND`) and `UnknownName` (camera).
        """
        self._notice_time(float(observation[keys.TIME][0]))
        self._look(point.camera, observation)
        view = self._views[-1]
        pixel = view.pixel(point)
        glimpse = Glimpse.at(view, pixel, words, self._outline)
        if glimpse is None or not glimpse.is_table:
            return self.locate(words, point, observation)
        surface = view.points[pixel].astype(np.float64)
        return Target(surface, np.zeros(3), 0.0, float(surface[2]))

    def closer(self, target: Target, observation: Observation) -> Target:
        """A hole as the eye on the arm sees it now. Raises `SkillFailed` (`OBJECT_NOT_FOUND`)."""
        if self.eye is None:
            raise SkillFailed(FailureCode.OBJECT_NOT_FOUND, "there is no second look: no depth camera rides on the arm")
        view = View.take(observation, self.eye, self._arm)
        if view.blind:
            raise SkillFailed(
                FailureCode.OBJECT_NOT_FOUND, f"camera {self.eye.name!r} is blind: its picture has no depth"
            )
        return mouth_from_above(view, target, self._outline)

    def _notice_time(self, time_s: float) -> None:
        """Time that runs back begins a new episode."""
        if self._views and time_s < self._views[-1].time_s:
            self.forget()

    def _look(self, camera: str, observation: Observation) -> None:
        time_s, views = float(observation[keys.TIME][0]), self._views
        if views and views[-1].time_s == time_s and views[-1].camera.name == camera:
            return
        view = View.take(observation, self._spec.camera(camera), self._arm)
        if not views and view.blind:
            raise SkillFailed(FailureCode.OBJECT_NOT_FOUND, f"camera {camera!r} is blind: its picture has no depth")
        if view.blind:
            return
        if len(views) > 1 and views[-1].time_s - views[-2].time_s < _APART_S:
            views.pop()  # a glance while the arm was at work
        if len(views) == _VIEWS:
            del views[1]  # the first look, before the arm did anything, stays
        views.append(view)

    def _at(self, words: str, point: CameraPoint) -> Glimpse:
        """What a point shows in the newest look in which the robot hides nothing of it, else in the best."""
        best: Glimpse | None = None
        for view in (view for view in reversed(self._views) if view.camera.name == point.camera):
            glimpse = Glimpse.near(view, view.pixel(point), words, self._outline)
            if glimpse is not None and not glimpse.fits_colour():
                glimpse = next(iter(self._by_colour(view, glimpse.region.seed, words)), None)
                if glimpse is None:  # something else is there now: what was seen earlier is no longer true
                    break
            if glimpse is not None and not glimpse.may_be_meant():
                glimpse = self._behind_handle(view, words) or glimpse
            if glimpse is not None and (best is None or glimpse.hidden < best.hidden - _HIDDEN):
                best = glimpse
            if best is not None and best.hidden <= _HIDDEN:
                break
        if best is None or best.hidden > _MOSTLY_HIDDEN:
            raise SkillFailed(FailureCode.OBJECT_NOT_FOUND, f"{words!r} is not in sight, or the robot hides it")
        if "drawer" in words and not best.may_be_meant():
            raise SkillFailed(FailureCode.OBJECT_NOT_FOUND, f"{words!r} is shut, or its inside is not in sight")
        return best

    def _behind_handle(self, view: View, words: str) -> Glimpse | None:
        """The inside of a drawer that was pulled open since it was pointed at: it lies behind the handle."""
        known = self._known.get(f"{words} handle")
        if known is None:
            return None
        for behind_m in _BEHIND_M:
            row, column = view.project(known.target.surface - behind_m * known.target.outward)
            if 0 <= row < view.depth.shape[0] and 0 <= column < view.depth.shape[1]:
                glimpse = Glimpse.at(view, (row, column), words, self._outline)
                if glimpse is not None and glimpse.may_be_meant():
                    return glimpse
        return None

    def _by_colour(self, view: View, start: np.ndarray, words: str) -> list[Glimpse]:
        """What has the colour and the kind that words name, nearest to a place (3,) first; nothing without a colour."""
        name = colours.named_in(words)
        if name is None:
            return []
        pixels = Glimpse.centres(view, colours.has_colour(view.rgb, name))
        glimpses = [Glimpse.at(view, pixel, words, self._outline) for pixel in pixels]
        fitting = [glimpse for glimpse in glimpses if glimpse is not None and glimpse.fits()]
        return sorted(fitting, key=lambda found: float(np.linalg.norm(found.target.surface - start)))

    def _again(self, words: str, known: Sighting) -> Target | None:
        """Where a thing is now that was seen before: nearest to where it was, of the same colour. None if unseen."""
        view = self._views[-1]
        row, column = view.project(known.target.surface)
        height, width = view.depth.shape
        if not (0 <= row < height and 0 <= column < width and view.depth[row, column] > 0):
            return None
        rows, columns = window(view, row, column, _SEARCH_M + float(max(known.target.size[:2])))
        robot = self._outline.hides(view, rows, columns)
        points = view.points[rows, columns]
        mask = alike(view, rows, columns, known.colour) & ~robot
        mask &= np.abs(points[..., 2] - known.target.surface[2]) < _SAME_HEIGHT_M
        if not mask.any():
            if robot.any():  # behind which it may still be
                return None
            raise SkillFailed(FailureCode.OBJECT_NOT_FOUND, f"{words!r} is no longer where it was")
        away = np.linalg.norm(points[mask] - known.target.surface, axis=1)
        nearest = np.argwhere(mask)[int(np.argmin(away))] + (rows.start, columns.start)
        glimpse = Glimpse.at(view, (int(nearest[0]), int(nearest[1])), words, self._outline)
        seen = glimpse is not None and glimpse.hidden <= _HIDDEN and glimpse.fits()
        return glimpse.target if seen and _alike(glimpse.target, known.target) else None

    def _elsewhere(self, words: str, known: Sighting) -> Target | None:
        """A thing in full view that looks as the words say, and as it did: then it is not behind the robot.

        In doubt whatever fits the words will do, for want of one that looks as it did.
        """
        found = self._by_colour(self._views[-1], known.target.surface, words)
        if not found or found[0].hidden > _HIDDEN:
            return None
        shown = [glimpse.target for glimpse in found if glimpse.hidden <= _HIDDEN]
        like = [target for target in shown if _same_extents(target, known.target)]
        return next(iter(like or (shown if known.doubted else [])), None)


def _alike(now: Target, before: Target) -> bool:
    """Of about the same size from above, for a thing about where it was: its sides may be hidden from the camera."""
    return _about(now.size[:2], before.size[:2])


def _same_extents(now: Target, before: Target) -> bool:
    """Of about the same three extents, in whatever position: a button of the same colour is no knocked cylinder."""
    return _about(now.size, before.size)


def _about(now: np.ndarray, before: np.ndarray) -> bool:
    now, before = np.sort(now), np.sort(before)
    return bool((np.abs(now - before) < 0.4 * before + 0.006).all())


def _same(first: CameraPoint, second: CameraPoint) -> bool:
    return first.camera == second.camera and np.hypot(first.u - second.u, first.v - second.v) < _SAME_POINT_PX
