"""A verifier that any robot can have: it judges from the gripper, the tool and depth, never from ground truth.

What the observations cannot tell is inconclusive, which the loop never takes for success. Each verdict gives its
numbers, so that a person can disagree with it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tandem.agent.verify.depth import THICKNESS_M, Change, change_at
from tandem.bridge.contract import BodySpec, CameraPoint, Observation, Outcome, Subgoal, Verdict, depth_key

EMPTY = 0.04  # opening at or below which the fingers have met: nothing is between them
OPEN = 0.95  # opening at or above which nothing can be held
WIDER = 0.05  # opening gained when something is let go
LIFT_M = 0.03
RETREAT_M = 0.05
HOME_RAD = 0.05
PLACE_RADIUS_M = 0.04  # an object may come to rest this far from where it was let go
MIN_AREA_M2 = 0.5e-4
MAX_HIDDEN = 0.5


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
        self.observes: tuple[str, ...] = ("joint_position", "gripper_opening", "tool_pose", *depths)
        self._rules: dict[str, Callable[[Subgoal, Observation, Observation], Verdict]] = {
            "pick": self._pick, "place": self._place, "stack_on": self._place, "insert": self._place,
            "open": self._moved, "close": self._moved, "press": self._press, "push": self._push, "home": self._home,
        }

    def verify(self, subgoal: Subgoal, before: Observation, after: Observation) -> Verdict:
        """What the observations tell about the subgoal."""
        rule = self._rules.get(subgoal.skill)
        if rule is None:
            return _unsure(f"nothing is known of how to see that {subgoal.skill!r} is done")
        return rule(subgoal, before, after)

    def _pick(self, subgoal: Subgoal, before: Observation, after: Observation) -> Verdict:
        opening, tool_z = float(after["gripper_opening"][0]), float(after["tool_pose"][2])
        grip = f"gripper opening {opening:.2f}"
        if opening <= EMPTY:
            return _no(f"{grip}: the fingers closed on nothing")
        if opening >= OPEN:
            return _no(f"{grip}: the gripper is open")
        change = self._change(subgoal, "point", before, after, 0.01)
        lift = tool_z - (float(change.point[2]) if change else 0.0)
        words = f"{grip}, tool {lift * 1000:.0f} mm above {'the picked point' if change else 'the table'}"
        if lift < LIFT_M:
            return _no(f"{words}: nothing was lifted")
        if change is None:
            return _yes(f"{words}; there was no depth to look at")
        return self._gone(change, words)

    def _gone(self, change: Change, words: str) -> Verdict:
        words = f"{words}, surface at the point changed by {change.rise_m * 1000:+.0f} mm"
        if change.hidden > MAX_HIDDEN:
            return _unsure(f"{words}; {change.hidden:.0%} of it is hidden")
        if change.rise_m <= -THICKNESS_M:
            return _yes(f"{words}: the object left its place")
        return _no(f"{words}: something is still there")

    def _place(self, subgoal: Subgoal, before: Observation, after: Observation) -> Verdict:
        opening, held = float(after["gripper_opening"][0]), float(before["gripper_opening"][0])
        words = f"gripper opening {held:.2f} before, {opening:.2f} after"
        if EMPTY < opening < min(OPEN, held + WIDER):
            return _no(f"{words}: it may still hold the object")
        change = self._change(subgoal, "point", before, after, PLACE_RADIUS_M)
        if change is None:
            return _unsure(f"{words}: released, but there was no depth to look at")
        away = float(np.linalg.norm(after["tool_pose"][:3] - change.point))
        words = f"{words}, tool {away * 1000:.0f} mm away"
        if away < RETREAT_M:
            return _unsure(f"{words}: the hand has not retreated")
        return _risen(change, words)

    def _moved(self, subgoal: Subgoal, before: Observation, after: Observation) -> Verdict:
        change = self._change(subgoal, "point", before, after, 0.01)
        if change is None or change.hidden > MAX_HIDDEN:
            return _unsure("the handle's place cannot be seen")
        words = f"surface at the handle's place changed by {change.rise_m * 1000:+.0f} mm"
        return _yes(words) if abs(change.rise_m) >= THICKNESS_M else _no(f"{words}: it did not move")

    def _press(self, subgoal: Subgoal, before: Observation, after: Observation) -> Verdict:
        change = self._change(subgoal, "point", before, after, 0.005)
        if change is None or change.hidden > MAX_HIDDEN:
            return _unsure("the button cannot be seen")
        words = f"surface of the button changed by {change.rise_m * 1000:+.1f} mm"
        if change.rise_m <= -THICKNESS_M:
            return _yes(f"{words}: it stayed down")
        return _unsure(f"{words}: a button that springs back leaves nothing to see")

    def _push(self, subgoal: Subgoal, before: Observation, after: Observation) -> Verdict:
        left = self._change(subgoal, "point", before, after, 0.01)
        came = self._change(subgoal, "to", before, after, PLACE_RADIUS_M)
        if left is None or came is None:
            return _unsure("pushing is seen from a point on the object and one of the place; they are not both known")
        gone = self._gone(left, "pushed object")
        return gone if gone.outcome is not Outcome.SUCCESS else _risen(came, gone.evidence)

    def _home(self, subgoal: Subgoal, before: Observation, after: Observation) -> Verdict:
        off = float(np.max(np.abs(after["joint_position"] - self._spec.home)))
        words = f"the joint farthest from home is {off:.3f} rad away"
        return _yes(words) if off <= HOME_RAD else _no(words)

    def _change(
        self, subgoal: Subgoal, name: str, before: Observation, after: Observation, radius_m: float
    ) -> Change | None:
        point = subgoal.arguments.get(name)
        if not isinstance(point, CameraPoint) or point.camera not in self._cameras:
            return None
        key = depth_key(point.camera)
        tools = (before["tool_pose"], after["tool_pose"])
        return change_at(point, self._cameras[point.camera], (before[key], after[key]), tools, radius_m)


def _risen(change: Change, words: str) -> Verdict:
    """Whether something lies around the point that was not there before."""
    words = f"{words}, {change.raised_m2 * 1e4:.1f} cm2 around the target are higher than before"
    if change.raised_m2 >= MIN_AREA_M2:
        return _yes(words)
    if change.hidden > MAX_HIDDEN:
        return _unsure(f"{words}; {change.hidden:.0%} of it is hidden")
    return _no(f"{words}: nothing new lies there")


def _yes(evidence: str) -> Verdict:
    return Verdict(Outcome.SUCCESS, evidence)


def _no(evidence: str) -> Verdict:
    return Verdict(Outcome.FAILURE, evidence)


def _unsure(evidence: str) -> Verdict:
    return Verdict(Outcome.INCONCLUSIVE, evidence)
