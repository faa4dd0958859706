"""A thing that moves by itself: how fast it goes, and where it will be."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field, replace

import numpy as np

from tandem.bridge.contract import SkillFailed, Subgoal, Target
from tandem.policies.motion.motion import Motion
from tandem.policies.motion.mover import Mover

STILL_M_S, JUMP_M_S = 0.008, 0.25
_STEADY = 0.3  # what goes by itself keeps its speed within this share
_MEMORY_S, _STEP_M = 0.7, 0.001  # how long looks count for the speed; less than this is no step
_WATCH_S = 0.65  # looks before the arm itself comes between the camera and the thing


def shifted(target: Target, offset: np.ndarray) -> Target:
    """The same thing elsewhere."""
    return replace(target, surface=target.surface + offset)


@dataclass
class Watch:
    """Follows a thing by looking at it now and then.

    Attributes:
        mover: looks.
        subgoal: names the thing.
        target: the thing when it was last seen.
        time_s: when that was.
        velocity: (3,) m/s, level.
        until_s: body time after which it no longer looks by itself.
        looks: times and places (3,) of earlier looks, oldest first.
    """

    mover: Mover
    subgoal: Subgoal
    target: Target
    time_s: float
    velocity: np.ndarray
    until_s: float
    looks: list[tuple[float, np.ndarray]] = field(default_factory=list)

    @classmethod
    def begin(cls, mover: Mover, subgoal: Subgoal) -> Generator[Motion, None, Watch]:
        """The first look. Raises `SkillFailed` (`OBJECT_NOT_FOUND`)."""
        target = yield from mover.find(subgoal, "object")
        return cls(mover, subgoal, target, mover.time_s, np.zeros(3), mover.time_s + _WATCH_S)

    @property
    def moves(self) -> bool:
        """Faster than what stands still seems to be, slower than what was knocked or moved by hand."""
        return bool(STILL_M_S < np.linalg.norm(self.velocity) < JUMP_M_S)

    def glance(self) -> bool:
        """An `until` for motions: looks while it is early, and never ends the motion."""
        if self.time_s < self.mover.time_s <= self.until_s:
            self.look()
        return False

    def look(self) -> None:
        """Look again and measure how fast it goes. What cannot be seen now is believed to go on as before."""
        try:
            seen = self.mover.locate(self.subgoal, "object")
        except SkillFailed:
            return
        now_s = self.mover.time_s
        if now_s <= self.time_s:
            return
        stays = np.linalg.norm((seen.surface - self.target.surface)[:2]) < _STEP_M
        if not self.mover.targets.privileged and self.moves and stays:
            return  # hidden by the arm: the source gave its last memory
        self.looks = [*(look for look in self.looks if now_s - look[0] < _MEMORY_S), (self.time_s, self.target.surface)]
        velocities = [(seen.surface - place) * [1.0, 1.0, 0.0] / (now_s - time_s) for time_s, place in self.looks]
        steady = np.linalg.norm(velocities[0] - velocities[-1]) < _STEADY * np.linalg.norm(velocities[0]) + STILL_M_S
        self.velocity = velocities[0] if steady else np.zeros(3)  # what was moved once does not move
        self.target, self.time_s = seen, now_s

    def expected(self, ahead_s: float = 0.0) -> Target:
        """Where it is believed to be `ahead_s` seconds from now."""
        if not self.moves:
            return self.target
        return shifted(self.target, self.velocity * (self.mover.time_s - self.time_s + ahead_s))
