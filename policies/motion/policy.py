"""The motion policy: skills as recipes, cut into chunks.

Each skill is a generator of motions. `infer` resumes it with the newest observation, hands out at most `horizon`
actions at a time, and checks in between that the arm follows. It believes what was measured, never that a command
was carried out.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tandem.bridge.contract import (
    SKILLS,
    ActionChunk,
    ActionKind,
    BodySpec,
    FailureCode,
    InvalidOption,
    Observation,
    SkillFailed,
    SkillSpec,
    SpecMismatch,
    Subgoal,
    TargetSource,
    skill_named,
)
from tandem.bridge.contract import observation as keys
from tandem.policies.motion import trajectory
from tandem.policies.motion.kinematics import Arm
from tandem.policies.motion.memory import Memory
from tandem.policies.motion.motion import Motion, Moves
from tandem.policies.motion.mover import Mover
from tandem.policies.motion.pace import Pace
from tandem.policies.motion.skills import RECIPES

_BEHIND_RAD = 0.12  # an arm at rest may be this far from its command ...
_BEHIND_S = 0.5  # ... and a moving one this much later, delays included
_CARRY_RAD = 0.03  # a new skill goes on from the last command if the arm is where that says
_MOVING_RAD_S = 0.05


class MotionPolicy:
    """Carries out every skill of the catalogue on any arm that declares its kinematics.

    Args:
        spec: the body's specification; joint positions plus gripper opening.
        targets: finds targets, from ground truth or from camera points.
        horizon: most actions in a chunk.
        pace: how fast.
        search_m: how far around a believed hole a peg is felt for; 0 goes down once.

    Raises:
        SpecMismatch: the body takes another kind of action, or has no gripper.
        InvalidSpec: the kinematic model is unusable.
    """

    skills: Mapping[str, SkillSpec] = SKILLS

    def __init__(
        self, spec: BodySpec, targets: TargetSource, *, horizon: int = 20, pace: Pace | None = None,
        search_m: float = 0.004,
    ):
        if spec.action.kind is not ActionKind.JOINT_POSITION_GRIPPER or spec.gripper is None:
            raise SpecMismatch([f"action of {spec.robot!r}: {spec.action.kind}; joint positions and a gripper needed"])
        if horizon < 1:
            raise InvalidOption(f"horizon must be at least 1 action, got {horizon}")
        self.spec, self.targets, self.horizon = spec, targets, horizon
        self.privileged = targets.privileged
        self.memory = Memory()
        self._mover = Mover(Arm(spec), targets, pace or Pace(), self.memory, search_m)
        self._now_s, self._epoch = 0.0, 0
        self.reset(0)

    def reset(self, epoch: int) -> None:
        """Drop the present skill. What is in the hand, and where things stand, is remembered until the episode ends.

        Another one has begun when the epoch is not above the last, or when the body's time goes back.
        """
        if epoch <= self._epoch:
            self._mover.forget()
        self._epoch, self._request = epoch, 0
        self._subgoal: Subgoal | None = None
        self._moves: Moves | None = None
        self._motion: Motion | None = None
        self._next, self._handed, self._t0_s, self._start_s = 0, 0, 0.0, 0.0
        self._told: int | None = None

    def take_over(self, command: np.ndarray) -> None:
        """Another policy has driven: what it commanded last (n + 1,) stands, and what is in the hand is its doing."""
        self.memory.command, self.memory.held = command, None

    def carried_out(self, count: int) -> None:
        """How many actions of the last chunk are behind the arm; until the next one. Not told, it goes by the time."""
        self._told = count

    def infer(self, observation: Observation, subgoal: Subgoal) -> ActionChunk:
        """The next chunk.

        Raises:
            SkillFailed: with the code that says why.
            InvalidObservation: a key is missing, of the wrong shape or not finite.
            UnknownName: there is no such skill.
        """
        keys.validate(observation, self.spec)
        time_s = float(observation[keys.TIME][0])
        if time_s < self._now_s:
            self._mover.forget()
        self._now_s = time_s
        if self._moves is None or subgoal != self._subgoal:
            self._begin(observation, subgoal, time_s)
        else:
            self._look(observation, time_s)
        if time_s - self._start_s > subgoal.timeout_s:
            raise SkillFailed(FailureCode.TIMEOUT, f"{subgoal} took longer than {subgoal.timeout_s:g} s")
        while self._motion is None or self._finished(self._motion):
            try:
                self._motion, self._next = next(self._moves), 0
            except StopIteration:
                return self._chunk(self._mover.command[None], time_s, "done", final=True)
            except Exception:
                self._moves = None  # a recipe that raised is over: asked once more, it would seem to have ended well
                raise
        actions = self._motion.actions[self._next:][: min(self._motion.look or self.horizon, self.horizon)]
        return self._chunk(actions, time_s, self._motion.phase)

    def _begin(self, observation: Observation, subgoal: Subgoal, time_s: float) -> None:
        recipe = RECIPES[skill_named(subgoal.skill, self.skills).name]
        self._subgoal, self._motion, self._start_s = subgoal, None, time_s
        self._mover.observation = observation
        self._mover.command = self._first_command(observation)
        self._moves = self._started(recipe(self._mover, subgoal))

    def _first_command(self, observation: Observation) -> np.ndarray:
        """Where commands go on from: the last one if the arm is there, else what was measured."""
        measured, last = observation[keys.JOINT_POSITION], self.memory.command
        q = np.clip(measured, self.spec.action.low[:-1], self.spec.action.high[:-1])
        if last is None:
            return np.append(q, np.clip(observation[keys.GRIPPER_OPENING], 0.0, 1.0))
        return last if np.abs(last[:-1] - measured).max() < _CARRY_RAD else np.append(q, last[-1])

    def _started(self, moves: Moves) -> Moves:
        """The recipe, after coming to rest if the arm still moves."""
        mover = self._mover
        velocity = mover.observation[keys.JOINT_VELOCITY]
        if np.abs(velocity).max() > _MOVING_RAD_S:
            limits = trajectory.Limits.of(self.spec, 1.0, 1.0, 1.0)
            slow = np.clip(velocity, -self.spec.velocity_limit, self.spec.velocity_limit)
            stop = trajectory.brake(mover.q, slow, limits, self.spec.dt_s)
            yield from mover.follow(np.clip(stop, mover.arm.low, mover.arm.high), "stop")
            yield from mover.settle("stop")
        yield from moves

    def _look(self, observation: Observation, time_s: float) -> None:
        """Take in what came of the last chunk: how much of it was carried out, and whether the arm followed."""
        mover = self._mover
        mover.observation = observation
        passed = round((time_s - self._t0_s) / self.spec.dt_s) if self._told is None else self._told
        done = int(np.clip(passed, 0, self._handed))
        if self._motion is None or done == 0:
            return
        self._next += done
        executed = self._motion.actions[:self._next]
        mover.command = executed[-1]
        self.memory.command = mover.command
        self._check_follows(executed, observation)

    def _check_follows(self, executed: np.ndarray, observation: Observation) -> None:
        if self._motion.loaded:
            return
        behind = np.abs(observation[keys.JOINT_POSITION] - executed[-1, :-1])
        speed = np.abs(executed[-1, :-1] - executed[max(0, len(executed) - 8), :-1]) / (8 * self.spec.dt_s)
        excess = behind - (_BEHIND_RAD + _BEHIND_S * speed)
        if excess.max() > 0:
            worst = int(np.argmax(excess))
            raise SkillFailed(
                FailureCode.TRACKING_FAILED,
                f"{self.spec.joint_names[worst]} is {behind[worst]:.2f} rad from its command during "
                f"{self._motion.phase!r}: blocked, or not moving",
            )

    def _finished(self, motion: Motion) -> bool:
        if self._next >= len(motion.actions):
            return True
        return self._next > 0 and motion.until is not None and motion.until()

    def _chunk(self, actions: np.ndarray, time_s: float, phase: str, *, final: bool = False) -> ActionChunk:
        self._handed, self._t0_s, self._told = len(actions), time_s, None
        self._request += 1
        within = np.clip(actions, self.spec.action.low, self.spec.action.high)
        return ActionChunk(
            within, self.spec.dt_s, time_s, self._epoch, self._request - 1, final=final, phase=phase
        )
