"""The verbs that skills are written in: travel, line, settle, grip, release, and questions about what was measured.

A `Mover` holds the newest observation and the last command; the policy refreshes both before it resumes a skill, so a
skill reads like a recipe. It knows the arm, the gripper and where targets are, and nothing of the world besides.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

import numpy as np

from tandem.bridge.contract import (
    BodySpec,
    CameraPoint,
    FailureCode,
    Observation,
    SkillFailed,
    Subgoal,
    Target,
    TargetSource,
)
from tandem.bridge.contract import observation as keys
from tandem.policies.motion.clutter import Clutter
from tandem.policies.motion.kinematics import Arm, describe
from tandem.policies.motion.memory import Memory, Remembering
from tandem.policies.motion.motion import Motion, Moves
from tandem.policies.motion.pace import Pace
from tandem.policies.motion.pose import angle_between, at_height
from tandem.policies.motion.routes import Routes
from tandem.policies.motion.targets.outline import Outline

HELD_OPENING = 0.035  # closed further than this, the hand is empty
_STALL = 0.012  # opening per look below which the fingers have stopped
_CORRIDOR_M = 0.10
_GIVE_UP_M = 0.06
_AWAY_RAD = 0.2  # from the rest pose
_LOOKS, _WAIT_S = 4, 0.8
_THERE_M, _TURNED_RAD = 0.0005, 0.005


class Mover:
    """See the module.

    Args:
        arm: its kinematics.
        targets: finds targets.
        pace: speeds.
        memory: shared by all skills of a policy.
        search_m: how far around a believed hole a peg is felt for.
    """

    def __init__(self, arm: Arm, targets: TargetSource, pace: Pace, memory: Memory, search_m: float = 0.004):
        self.arm, self.targets, self.pace, self.memory, self.search_m = arm, targets, pace, memory, search_m
        self.spec: BodySpec = arm.spec
        self.routes = Routes(arm, pace)
        self._outline = Outline(arm)
        self.observation: Observation = {}
        self.command = np.zeros(self.spec.dof + 1)

    # What was measured and commanded.

    @property
    def q(self) -> np.ndarray:
        """(n,) joint positions last commanded."""
        return self.command[:-1]

    @property
    def pose(self) -> np.ndarray:
        """(4, 4) tool pose last commanded."""
        return self.arm.fk(self.q)

    @property
    def measured_pose(self) -> np.ndarray:
        """(4, 4) tool pose measured."""
        return self.arm.fk(self.observation[keys.JOINT_POSITION])

    @property
    def opening(self) -> float:
        """Measured opening of the gripper, 0..1."""
        return float(self.observation[keys.GRIPPER_OPENING][0])

    @property
    def time_s(self) -> float:
        """Body time of the newest observation."""
        return float(self.observation[keys.TIME][0])

    @property
    def lag_m(self) -> np.ndarray:
        """(3,) measured minus commanded tool position: what contact and motion leave behind."""
        return self.measured_pose[:3, 3] - self.pose[:3, 3]

    @property
    def holding(self) -> bool:
        """Something keeps the fingers from closing: told to close, and stalled partly open."""
        return self.command[-1] < HELD_OPENING and self.opening > HELD_OPENING

    @property
    def width_m(self) -> float:
        """Measured distance between the fingers."""
        return self.arm.jaws.width(self.opening)

    # Preconditions and targets.

    def require_empty(self, skill: str) -> None:
        """Raise `PRECONDITION_FAILED` when something is held."""
        if self.holding:
            raise SkillFailed(
                FailureCode.PRECONDITION_FAILED, f"{skill} needs an empty gripper; it holds something (place it first)"
            )
        self.memory.held = None

    def require_held(self, skill: str) -> None:
        """Raise `PRECONDITION_FAILED` when nothing is held."""
        if not self.holding:
            self.memory.held = None
            raise SkillFailed(FailureCode.PRECONDITION_FAILED, f"{skill} needs a held object; the gripper is empty")

    def locate(self, subgoal: Subgoal, words: str, point: str = "point") -> Target:
        """The target that two arguments of a subgoal stand for, in the newest observation."""
        name = str(subgoal.arguments[words])
        where = subgoal.arguments.get(point)
        target = self.targets.locate(name, where if isinstance(where, CameraPoint) else None, self.observation)
        self.memory.see(name, target)
        return target

    def find(self, subgoal: Subgoal, words: str, point: str = "point") -> Generator[Motion, None, Target]:
        """As `locate`; where nothing is in sight, out of the way first, then wait a little, and look again."""
        for look in range(_LOOKS):
            try:
                return self.locate(subgoal, words, point)
            except SkillFailed:
                if self.targets.privileged or look == _LOOKS - 1:
                    raise
            if np.abs(self.q - self.spec.home).max() > _AWAY_RAD:
                yield from self.rest("look")
            else:
                yield from self.hold(round(_WAIT_S / self.spec.dt_s), "look")
        raise AssertionError("the last look either returns or raises")

    def clutter(self, target: Target) -> Clutter:
        """What is seen around a target now."""
        return Clutter.around(target, self.observation, self.arm, self._outline)

    def contents(self, target: Target) -> np.ndarray:
        """(N, 3) points of what is seen in and around a target now, and of what is remembered to stand there."""
        seen = Clutter.near(target, self.observation, self.arm, self._outline).points
        return np.concatenate([seen, self.memory.standing()])

    def put(self, words: str, target: Target) -> None:
        """Remember where a thing was set down; the source of targets hears of it if it remembers things itself."""
        self.memory.see(words, target)
        if isinstance(self.targets, Remembering):
            self.targets.moved(words, target)

    def forget(self) -> None:
        """A new episode: nothing of the last one holds."""
        self.memory.forget()
        if isinstance(self.targets, Remembering):
            self.targets.forget()

    def doubt(self, words: str) -> None:
        """Tell the source of targets that a thing was not where it was believed to be."""
        self.memory.landmarks.pop(words, None)
        if isinstance(self.targets, Remembering):
            self.targets.doubt(words)

    # Motions.

    def follow(
        self,
        path: np.ndarray,
        phase: str,
        *,
        opening: float | Sequence[float] | None = None,
        look: int | None = None,
        until: Callable[[], bool] | None = None,
        loaded: bool = False,
    ) -> Moves:
        """Carry out joint positions (T, n), the gripper at an opening (or (T,) openings), as commanded when None."""
        openings = np.broadcast_to(self.command[-1] if opening is None else opening, (len(path),))
        yield Motion(np.column_stack([path, openings]), phase, look, until, loaded)

    def hold(self, steps: int, phase: str, **options: object) -> Moves:
        """Stay where the last command ended."""
        yield from self.follow(np.tile(self.q, (steps, 1)), phase, **options)

    def settle(self, phase: str, steps: int = 12, *, loaded: bool = False) -> Moves:
        """Wait until the arm has caught up with its command and rests."""
        yield from self.hold(steps, phase, look=1, until=self._rests, loaded=loaded)

    def _rests(self) -> bool:
        behind = np.abs(self.observation[keys.JOINT_POSITION] - self.q).max()
        return bool(behind < 0.01 and np.abs(self.observation[keys.JOINT_VELOCITY]).max() < 0.05)

    def joints(self, goal: np.ndarray, phase: str, **options: object) -> Moves:
        """A joint move to (n,)."""
        yield from self.follow(self.routes.joints(self.q, goal), phase, **options)

    def line(self, goal: np.ndarray, phase: str, *, speed_m_s: float | None = None, **options: object) -> Moves:
        """A straight line of the tool to a pose (4, 4)."""
        path = self.routes.line(self.q, goal, self.pace.line_m_s if speed_m_s is None else speed_m_s)
        yield from self.follow(path, phase, **options)

    def travel(
        self, goal: np.ndarray, phase: str, *, floor_m: float = 0.0, seed: np.ndarray | None = None, **options: object
    ) -> Moves:
        """Go to a pose (4, 4) above things: up, across in joint space, and down onto it.

        Args:
            goal: where to end.
            phase: what it is for.
            floor_m: the tool keeps at least this height on the way across.
            seed: (n,) joint positions near which to arrive, the present ones when None.
            options: of `follow`.
        """
        start = self.pose
        reach = self.memory.held.below_m if self.memory.held else self.spec.gripper.finger_depth_m
        obstacle = self.memory.highest_near(start[:2, 3], goal[:2, 3], _CORRIDOR_M)
        across = max(floor_m, obstacle + reach + 0.03, goal[2, 3])
        if np.linalg.norm(goal[:2, 3] - start[:2, 3]) > 0.02:
            yield from self.rise(across, phase, **options)
            yield from self._across(goal, across, phase, seed, **options)
        if np.linalg.norm(goal[:3, 3] - self.pose[:3, 3]) > _THERE_M or angle_between(goal, self.pose) > _TURNED_RAD:
            yield from self.line(goal, phase, **options)

    def rise(self, height_m: float, phase: str, **options: object) -> Moves:
        """Straight up to a height, or as far as the arm gets; nothing when it is there already."""
        start = self.pose
        if start[2, 3] > height_m - 0.005:
            return
        for part in (1.0, 0.75, 0.5, 0.25):
            higher = at_height(start, start[2, 3] + part * (height_m - start[2, 3]))
            try:
                path = self.routes.line(self.q, higher, self.pace.line_m_s)
            except SkillFailed:
                continue
            yield from self.follow(path, phase, **options)
            return

    def rest(self, phase: str) -> Moves:
        """Up to the height of the rest pose, then to it in joint space."""
        home = self.arm.fk(self.spec.home)
        yield from self.rise(float(home[2, 3]), phase)
        yield from self.joints(self.spec.home, phase)
        yield from self.settle(phase)

    def _across(
        self, goal: np.ndarray, height_m: float, phase: str, seed: np.ndarray | None, **options: object
    ) -> Moves:
        """To above the goal, nowhere lower than the lower of its ends: in joint space, or on an arc about the base."""
        heights = [max(height_m, goal[2, 3]), *np.linspace(max(height_m, goal[2, 3]), goal[2, 3], 3)[1:]]
        for height in heights:
            path = self.routes.across(self.q, at_height(goal, float(height)), seed, upright=self.holding)
            if path is not None:
                yield from self.follow(path, phase, **options)
                return
        for extra in (0.05, 0.10, 0.15):
            above = at_height(goal, heights[0] + extra)
            if self.arm.reachable(above, self.q):
                yield from self.rise(heights[0] + extra, phase, **options)
                yield from self.joints(self.routes.arrival(self.q, above, seed), phase, **options)
                return
        self.arm.reach(goal, self.q)
        raise SkillFailed(FailureCode.UNREACHABLE, f"no way leads to the {describe(goal)}")

    # The gripper.

    def open_hand(self, phase: str, opening: float = 1.0) -> Moves:
        """Bring the fingers to an opening and wait until they are there."""
        if abs(opening - self.command[-1]) < 1e-3 and abs(opening - self.opening) < _STALL:
            return
        steps = max(2, int(np.ceil(abs(opening - self.command[-1]) * self.pace.close_s / self.spec.dt_s)))
        ramp = np.linspace(self.command[-1], opening, steps + 1)[1:]
        yield from self.hold(steps, phase, opening=ramp, loaded=True)
        yield from self._until_stalled(phase)
        self.memory.held = None

    def close_hand(self, phase: str) -> Moves:
        """Close the fingers until they stall, on an object or on one another."""
        begin = min(self.command[-1], self.opening)
        steps = max(2, int(np.ceil(begin * self.pace.close_s / self.spec.dt_s)))
        yield from self.hold(steps, phase, opening=np.linspace(begin, 0.0, steps + 1)[1:], loaded=True)
        yield from self._until_stalled(phase)

    def keep_holding(self, during: str) -> Moves:
        """Nothing while the object is held; else clear the hand and raise `OBJECT_LOST`."""
        if not self.holding:
            yield from self.give_up(FailureCode.OBJECT_LOST, f"the object slipped out of the gripper during {during}")

    def give_up(self, code: FailureCode, detail: str) -> Moves:
        """Rise out of the way, open the hand, and raise `SkillFailed`: the next try starts from free space."""
        self.memory.held = None
        yield from self.rise(float(self.pose[2, 3]) + _GIVE_UP_M, "give up", loaded=True)
        yield from self.open_hand("give up")
        raise SkillFailed(code, detail)

    def _until_stalled(self, phase: str) -> Moves:
        before = [np.inf, np.inf]

        def stalled() -> bool:
            still = all(abs(self.opening - earlier) < _STALL for earlier in before)
            before[:] = [before[1], self.opening]
            return still

        yield from self.hold(30, phase, look=1, until=stalled, loaded=True)
