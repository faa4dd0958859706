"""Where things went: a plan's camera points were taken before the first thing was moved.

"Stack the green cube on the red one, then the yellow one on the green one" points at the green cube where it stood at
first. Whoever verifies the second step has to look where the first one put it.
"""

from __future__ import annotations

import math

from tandem.bridge.contract import CameraPoint, Subgoal

SAME_PX = 12.0  # two points of one thing in one picture lie this close together


class Moved:
    """Follows things by their words from the point where they were picked to where they were put."""

    def __init__(self):
        self._from: dict[str, CameraPoint] = {}
        self._to: dict[str, CameraPoint] = {}
        self._held = ""

    def clear(self) -> None:
        """Another episode."""
        self._from.clear()
        self._to.clear()
        self._held = ""

    def picked(self, subgoal: Subgoal) -> None:
        """A pick was seen done."""
        self._held = str(subgoal.arguments["object"])
        self._to.pop(self._held, None)
        point = subgoal.arguments.get("point")
        if isinstance(point, CameraPoint):
            self._from[self._held] = point

    def put(self, subgoal: Subgoal, point: CameraPoint) -> None:
        """What was held was seen at a point."""
        self._to[str(subgoal.arguments.get("object", self._held))] = point
        self._held = ""

    def now(self, words: str, point: CameraPoint) -> CameraPoint:
        """The point where the thing is now: the given one, unless that is where it was picked up from."""
        before = self._from.get(words)
        if words not in self._to or before is None or before.camera != point.camera:
            return point
        return self._to[words] if math.hypot(point.u - before.u, point.v - before.v) <= SAME_PX else point
