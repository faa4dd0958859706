"""A verifier that any robot can have: it judges from the gripper, the tool and depth, never from ground truth.

What the observations cannot tell is inconclusive, which the loop never takes for success. Each verdict gives its
numbers, so that a person can disagree with it. It remembers the last few depth images, because the arm often stands in
front of a place just before it puts something there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np

from tandem.agent.hand import EMPTY, OPEN
from tandem.agent.verify.depth import ARM_BELOW_M, THICKNESS_M, Change, View, change_at, lifted, project
from tandem.agent.verify.moved import Moved
from tandem.agent.verify.opened import Opened
from tandem.bridge.contract import BodySpec, CameraPoint, Observation, Outcome, Subgoal, Verdict, depth_key, snapshot

WIDER = 0.05  # opening gained when something is let go
LIFT_M = 0.03
RETREAT_M = 0.05
HOME_RAD = 0.05
PLACE_RADIUS_M = 0.08  # an object may come to rest this far from the point, if no wall lies between
STACK_RADIUS_M = 0.03
PLACE_BELOW_M = 0.06  # a bin's floor may lie this far below the top of what is already in it
MIN_AREA_M2 = 0.5e-4
MAX_HIDDEN = 0.5
MEMORY = 8  # depth images per camera
WATCHED = 2000  # readings of the tool: more than any subgoal has
PRESS_M = 0.005  # fingertips that go this far below the top of a button have pushed it down
PRESS_AIM_M = 0.012  # and this near to its middle
PRESS_READINGS = 3  # so many times: one may be noise


class ObservationVerifier:
    """Judges subgoals from joint positions, gripper opening, tool pose and the depth of cameras that stand still.

    Args:
        spec: the body's specification; without a standing camera with depth, far less can be told.
    """

    privileged = False

    def __init__(self, spec: BodySpec):
        self._spec = spec
        self._cameras = {camera.name: camera for camera in spec.cameras if camera.mount == "base" and camera.depth}
        depths = (depth_key(name) for name in self._cameras)
        self.observes: tuple[str, ...] = ("time", "joint_position", "gripper_opening", "tool_pose", *depths)
        self._memory: deque[Observation] = deque(maxlen=MEMORY)  # oldest first
        self._tips: deque[tuple[float, np.ndarray]] = deque(maxlen=WATCHED)  # time, and (3,) between the fingertips
        self._things, self._drawers = Moved(), Opened()
        self._rules: dict[str, Callable[[Subgoal, Observation, Observation], Verdict]] = {
            "pick": self._pick, "place": self._place, "stack_on": self._stacked, "insert": self._stacked,
            "open": self._moved, "close": self._moved, "press": self._press, "push": self._push, "home": self._home,
        }

    def reset(self) -> None:
        """Another episode: earlier pictures show another table."""
        self._memory.clear()
        self._tips.clear()
        self._things.clear()
        self._drawers.clear()

    def watch(self, observation: Observation) -> None:
        """Where the fingertips went: a button that springs back shows nothing afterwards."""
        if self._spec.gripper is not None:
            tip = observation["tool_pose"][:3] + self._spec.gripper.finger_depth_m * _approach(observation["tool_pose"])
            self._tips.append((float(observation["time"][0]), tip))

    def verify(self, subgoal: Subgoal, before: Observation, after: Observation) -> Verdict:
        """What the observations tell about the subgoal."""
        rule = self._rules.get(subgoal.skill)
        if rule is None:
            return _unsure(f"nothing is known of how to see that {subgoal.skill!r} is done")
        self._remember(before)
        verdict = rule(subgoal, before, after)
        self._remember(snapshot(after, self.observes))
        return verdict

    def _remember(self, seen: Observation) -> None:
        if not self._memory or seen["time"][0] > self._memory[-1]["time"][0]:
            self._memory.append(seen)

    def _pick(self, subgoal: Subgoal, before: Observation, after: Observation) -> Verdict:
        opening, tool_z = float(after["gripper_opening"][0]), float(after["tool_pose"][2])
        grip = f"gripper opening {opening:.2f}"
        if opening <= EMPTY:
            return _no(f"{grip}: the fingers closed on nothing")
        if opening >= OPEN:
            return _no(f"{grip}: the gripper is open")
        change = self._change(subgoal, "point", before, after)
        verdict = _picked(change, grip, tool_z)
        if verdict.outcome is Outcome.SUCCESS:
            self._things.picked(subgoal)
        return verdict

    def _place(self, subgoal: Subgoal, before: Observation, after: Observation) -> Verdict:
        return self._put(subgoal, before, after, PLACE_RADIUS_M, PLACE_BELOW_M)

    def _stacked(self, subgoal: Subgoal, before: Observation, after: Observation) -> Verdict:
        return self._put(subgoal, before, after, STACK_RADIUS_M, THICKNESS_M)

    def _put(
        self, subgoal: Subgoal, before: Observation, after: Observation, radius_m: float, below_m: float
    ) -> Verdict:
        change = self._change(subgoal, "point", before, after, radius_m, below_m)
        verdict = _put(change, before, after)
        if change is not None and verdict.outcome is Outcome.SUCCESS:
            camera = self._cameras[subgoal.arguments["point"].camera]
            top = project(np.append(change.point[:2], change.top_z_m), camera)
            if top is not None:
                self._things.put(subgoal, top)
        return verdict

    def _moved(self, subgoal: Subgoal, before: Observation, after: Observation) -> Verdict:
        change = self._change(subgoal, "point", before, after)
        if change is None or change.hidden > MAX_HIDDEN:
            return _unsure("the handle's place cannot be seen")
        words = f"surface at the handle's place changed by {change.rise_m * 1000:+.0f} mm"
        if abs(change.rise_m) < THICKNESS_M:
            return _no(f"{words}: it did not move")
        handle = str(subgoal.arguments["target"])
        if subgoal.skill == "close":
            self._drawers.pushed(handle)
        else:
            self._drawers.pulled(handle, self._tips_since(before))
        return _yes(words)

    def _press(self, subgoal: Subgoal, before: Observation, after: Observation) -> Verdict:
        change = self._change(subgoal, "point", before, after)
        if change is None:
            return _unsure("the button cannot be seen")
        words = f"surface of the button changed by {change.rise_m * 1000:+.1f} mm"
        if change.hidden <= MAX_HIDDEN and change.rise_m <= -THICKNESS_M:
            return _yes(f"{words}: it stayed down")
        pushed_m = _pushed_m(change.point, self._tips_since(before))
        words = f"{words}, the fingertips went {pushed_m * 1000:.1f} mm below its top"
        return _yes(words) if pushed_m >= PRESS_M else _unsure(f"{words}: it may not have been pressed")

    def _tips_since(self, before: Observation) -> list[np.ndarray]:
        """The way of the fingertips (3,) since then."""
        return [tip for time_s, tip in self._tips if time_s > float(before["time"][0])]

    def _push(self, subgoal: Subgoal, before: Observation, after: Observation) -> Verdict:
        left = self._change(subgoal, "point", before, after)
        came = self._change(subgoal, "to", before, after, PLACE_RADIUS_M)
        if left is None or came is None:
            return _unsure("pushing is seen from a point on the object and one of the place; they are not both known")
        gone = _gone(left, "pushed object")
        return gone if gone.outcome is not Outcome.SUCCESS else _risen(came, gone.evidence)

    def _home(self, subgoal: Subgoal, before: Observation, after: Observation) -> Verdict:
        off = float(np.max(np.abs(after["joint_position"] - self._spec.home)))
        words = f"the joint farthest from home is {off:.3f} rad away"
        return _yes(words) if off <= HOME_RAD else _no(words)

    def _change(
        self, subgoal: Subgoal, name: str, before: Observation, after: Observation,
        radius_m: float = STACK_RADIUS_M, below_m: float = THICKNESS_M,
    ) -> Change | None:
        point = subgoal.arguments.get(name)
        if not isinstance(point, CameraPoint) or point.camera not in self._cameras:
            return None
        words = str(subgoal.arguments.get("object" if subgoal.skill in ("pick", "push") else "target", ""))
        point = self._in_drawer(words, self._things.now(words, point), before)
        if point is None:
            return None
        key, start_s = depth_key(point.camera), before["time"][0]
        earlier = [seen for seen in reversed(self._memory) if seen["time"][0] < start_s]
        views = [View(seen[key], seen["tool_pose"]) for seen in (before, *earlier)]
        now = View(after[key], after["tool_pose"])
        return change_at(point, self._cameras[point.camera], views, now, radius_m, below_m=below_m)

    def _in_drawer(self, words: str, point: CameraPoint, before: Observation) -> CameraPoint | None:
        """The point, or where the inside of a drawer is that was opened since it was given; None out of sight."""
        camera = self._cameras[point.camera]
        place = lifted(point, camera, before[depth_key(camera.name)])
        inside = place if place is None else self._drawers.inside(words, place)
        return point if inside is place else project(inside, camera)


def _pushed_m(top: np.ndarray, tips: list[np.ndarray]) -> float:
    """How far the fingertips went below a point (3,) right over it, 0 if they did not."""
    depths = sorted((top[2] - tip[2] for tip in tips if np.hypot(*(tip - top)[:2]) < PRESS_AIM_M), reverse=True)
    return max(0.0, float(depths[PRESS_READINGS - 1])) if len(depths) >= PRESS_READINGS else 0.0


def _approach(pose: np.ndarray) -> np.ndarray:
    """(3,) the z axis of a pose (7,): where the fingers point."""
    w, x, y, z = pose[3:]
    return np.array([2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)])


def _picked(change: Change | None, grip: str, tool_z: float) -> Verdict:
    """Whether something between the fingers was lifted, and is what was at the point."""
    lift = tool_z - (float(change.point[2]) if change else 0.0)
    words = f"{grip}, tool {lift * 1000:.0f} mm above {'the picked point' if change else 'the table'}"
    if lift < LIFT_M:
        return _no(f"{words}: nothing was lifted")
    if change is None:
        return _yes(f"{words}; there was no depth to look at")
    if change.hidden > MAX_HIDDEN or _blocked(change, lift - ARM_BELOW_M):
        return _yes(f"{words}; its place is hidden behind what is held")
    verdict = _gone(change, words)
    if verdict.outcome is Outcome.FAILURE and change.bare and change.lowered_m2 >= MIN_AREA_M2:
        return _yes(f"{words}, nothing stood at the point itself: what stood right beside it left its place")
    return verdict


def _gone(change: Change, words: str) -> Verdict:
    """Whether what was at the point has left it."""
    words = f"{words}, surface at the point changed by {change.rise_m * 1000:+.0f} mm"
    if change.hidden > MAX_HIDDEN:
        return _unsure(f"{words}; {change.hidden:.0%} of it is hidden")
    if _blocked(change):
        return _unsure(f"{words}: something stands in front of it")
    if change.rise_m <= -THICKNESS_M:
        return _yes(f"{words}: the object left its place")
    return _no(f"{words}: something is still there")


def _blocked(change: Change, from_m: float = THICKNESS_M) -> bool:
    """Whether something at least so much higher is seen where the object was, which may be gone or still behind it."""
    return change.rise_m >= max(from_m, THICKNESS_M)


def _put(change: Change | None, before: Observation, after: Observation) -> Verdict:
    """Whether what was held is now at the point, and the hand away from it."""
    opening, held = float(after["gripper_opening"][0]), float(before["gripper_opening"][0])
    words = f"gripper opening {held:.2f} before, {opening:.2f} after"
    if change is None:
        return _unsure(f"{words}, but the target cannot be seen")
    away = float(np.linalg.norm(after["tool_pose"][:3] - change.point))
    words = f"{words}, tool {away * 1000:.0f} mm away"
    if away < RETREAT_M:
        return _unsure(f"{words}: the hand has not retreated")
    verdict = _risen(change, words)
    if not EMPTY < opening < min(OPEN, held + WIDER):
        return verdict
    if verdict.outcome is Outcome.FAILURE:
        return _no(f"{verdict.evidence}, and the gripper still holds something")
    return _unsure(f"{verdict.evidence}, but the gripper holds something")


def _risen(change: Change, words: str) -> Verdict:
    """Whether something lies around the point that was not there before."""
    words = f"{words}, {change.raised_m2 * 1e4:.1f} cm2 around the target are higher than before"
    if change.raised_m2 >= MIN_AREA_M2:
        return _yes(words)
    if change.covered > MAX_HIDDEN:
        return _unsure(f"{words}; {change.covered:.0%} of it is hidden")
    return _no(f"{words}: nothing new lies there")


def _yes(evidence: str) -> Verdict:
    return Verdict(Outcome.SUCCESS, evidence)


def _no(evidence: str) -> Verdict:
    return Verdict(Outcome.FAILURE, evidence)


def _unsure(evidence: str) -> Verdict:
    return Verdict(Outcome.INCONCLUSIVE, evidence)
