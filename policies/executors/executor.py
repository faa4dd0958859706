"""What every executor shares: one thought at a time, actions ahead, one action put out at each control step.

An executor wraps a policy and is one. It pays for its thinking itself: while the policy thinks, the executor goes on
handing out what lies ahead, and where nothing does it holds the last command and counts a stale action. How chunks are
joined and when the next thought begins is all that the executors differ in.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np

from tandem.bridge.contract import (
    ActionChunk,
    ActionKind,
    BodySpec,
    Event,
    FailureCode,
    InvalidAction,
    InvalidOption,
    Observation,
    Policy,
    SkillFailed,
    Subgoal,
    skill_named,
    snapshot,
)
from tandem.bridge.contract import observation as keys
from tandem.policies.executors.metrics import Metrics
from tandem.policies.executors.thinking import Answer, Clock, Instant, thinker_for

HOLDING = "policy thinks"
_REMEMBERED = 10  # latencies, of which the largest is expected next


@dataclass(frozen=True)
class Options:
    """Numbers are finite and not negative; a horizon counts at least one action."""

    def __post_init__(self):
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, str) and not (np.isfinite(value) and value >= 0):
                raise InvalidOption(f"{field.name} must be a number of at least 0, got {value}")
        if getattr(self, "horizon", 1) < 1:
            raise InvalidOption(f"horizon must be at least 1 action, got {self.horizon}")


class Executor:
    """Drives by a policy's chunks.

    Args:
        policy: whatever answers with chunks for this body. With a method `carried_out(count)` it is told before each
            `infer` how many actions of its last chunk are behind it; with `observes`, a tuple of observation keys, only
            these are copied for a thread.
        spec: the body's specification.
        options: a value of `Options`; None for the defaults.
        clock: who pays for thinking; thinking costs nothing if left out.

    Attributes:
        name: as on the command line.
        Options: the class of its options.
        pays_for_thinking: the agent's loop charges nothing for `infer`.
        metrics: its numbers.
    """

    name = "none"
    Options: type[Options] = Options
    pays_for_thinking = True

    def __init__(
        self, policy: Policy, spec: BodySpec, options: Options | None = None, clock: Clock | None = None
    ):
        self.policy, self.spec, self.skills = policy, spec, policy.skills
        self.options = self.Options() if options is None else options
        self.privileged = getattr(policy, "privileged", False)
        self.action_kind = getattr(policy, "action_kind", ActionKind.JOINT_POSITION_GRIPPER)
        self.clock = Instant() if clock is None else clock
        self.metrics = Metrics(self.name, spec.dt_s)
        self._thinker = thinker_for(self.clock)
        self._latencies: deque[float] = deque(maxlen=_REMEMBERED)
        self._last: np.ndarray | None = None  # the command that is held when nothing lies ahead
        self._now_s = -math.inf
        self._chunk: ActionChunk | None = None  # the newest that was joined
        self._ahead = np.empty((0, spec.action.size))  # (k, d) actions still to be put out
        self._since = 0  # actions put out since the newest thought began
        self.reset(0)

    def reset(self, epoch: int) -> None:
        """Drop what lies ahead and what is being thought: no action of an older epoch is put out."""
        self._epoch, self._request, self._told_epoch = epoch, 0, False
        self._subgoal: Subgoal | None = None
        self.metrics.begin()
        self._forget()

    def listen(self, tell: Callable[[Event], None]) -> None:
        """Tell of what belongs in the log: metrics, and what the wrapped policy has to say."""
        self.metrics.tell = tell
        if hasattr(self.policy, "listen"):
            self.policy.listen(tell)

    def _forget(self) -> None:
        self._since = 0 if self._thinker.busy else self._behind()  # of a chunk that nobody hears, none is
        self._thinker.forget()
        self._ahead, self._chunk, self._fresh = self._ahead[:0], None, False

    def infer(self, observation: Observation, subgoal: Subgoal) -> ActionChunk:
        """The action for this control step, a chunk of one.

        Raises:
            UnknownName: the policy offers no such skill.
            InvalidAction: the policy's chunk answers another epoch, or another rate or layout than the body's.
            SkillFailed: the policy gives up, and whatever else it raises, once its answer is due.
        """
        skill_named(subgoal.skill, self.skills)
        time_s = float(observation[keys.TIME][0])
        if time_s < self._now_s:
            self._last = None  # another episode: what was commanded then says nothing
        if self._subgoal is not None and subgoal != self._subgoal:
            self._forget()
        self._now_s, self._subgoal = time_s, subgoal
        self._receive(time_s)
        if not self._thinker.busy and not self._closing and self._due():
            self._think(observation, subgoal, time_s)
            self._receive(time_s)
        return self._put_out(observation, time_s)

    # What executors differ in.

    def _due(self) -> bool:
        """Whether the next thought should begin now."""
        raise NotImplementedError

    def _join(self, chunk: ActionChunk, time_s: float) -> np.ndarray:
        """(k, d) what lies ahead now that a chunk has arrived; `_since` of its actions are behind the arm."""
        return chunk.actions[self._since:]

    def _asking(self, observation: Observation, subgoal: Subgoal) -> Callable[[], ActionChunk]:
        """The thought itself, to be called once, perhaps on another thread; it touches the policy and nothing else."""
        behind = self._behind()

        def ask() -> ActionChunk:
            if hasattr(self.policy, "carried_out"):
                self.policy.carried_out(behind)
            return self.policy.infer(observation, subgoal)

        return ask

    def _behind(self) -> int:
        """How many actions of the policy's last chunk are behind the arm."""
        return self._since

    # The machinery.

    @property
    def delay(self) -> int:
        """Control steps that the next thought is expected to take: the longest of the last ones."""
        expected_s = max(self._latencies, default=self.clock.charge_s(0.0))
        return math.ceil(expected_s / self.spec.dt_s - 1e-6)

    @property
    def _closing(self) -> bool:
        return self._chunk is not None and self._chunk.final

    def _think(self, observation: Observation, subgoal: Subgoal, time_s: float) -> None:
        if self.clock.real_time:
            observation = snapshot(observation, getattr(self.policy, "observes", tuple(observation)))
        ask, epoch, new = self._asking(observation, subgoal), self._epoch, not self._told_epoch

        def call() -> ActionChunk:
            if new:
                self.policy.reset(epoch)
            return ask()

        self._told_epoch, self._since = True, 0
        self._thinker.begin(call, time_s)

    def _receive(self, time_s: float) -> None:
        answer = self._thinker.answer(time_s)
        if answer is None:
            return
        self._latencies.append(answer.latency_s)
        self.metrics.thought(answer.latency_s)
        chunk = self._checked(answer)
        self._ahead, self._chunk, self._fresh = self._join(chunk, time_s), chunk, True

    def _checked(self, answer: Answer) -> ActionChunk:
        if answer.error is not None:
            raise answer.error
        chunk, spec = answer.chunk, self.spec
        if chunk.epoch != self._epoch:
            raise InvalidAction(f"a chunk of epoch {chunk.epoch} answers an earlier subgoal; now it is {self._epoch}")
        if not math.isclose(chunk.dt_s, spec.dt_s, rel_tol=1e-6):
            raise InvalidAction(f"a chunk with dt_s = {chunk.dt_s:g} does not fit control steps of {spec.dt_s:g} s")
        for action in chunk.actions:
            spec.action.validate(action)
        return chunk

    def _put_out(self, observation: Observation, time_s: float) -> ActionChunk:
        held = not len(self._ahead)
        if held:
            action, phase = self._held(observation), HOLDING
        else:
            action, phase, self._ahead = self._ahead[0], self._chunk.phase, self._ahead[1:]
            self._since += 1
        final = self._closing and not len(self._ahead)
        self.metrics.action(action, held=held and not final, fresh=self._fresh and not held)
        self._fresh &= held
        self._last, self._request = action, self._request + 1
        return ActionChunk(
            action[None], self.spec.dt_s, time_s, self._epoch, self._request - 1, final=final, phase=phase
        )

    def _held(self, observation: Observation) -> np.ndarray:
        """The last command; before any, the pose in which the arm stands."""
        if self._last is not None:
            return self._last
        pose = np.append(observation[keys.JOINT_POSITION], observation[keys.GRIPPER_OPENING])
        if pose.size != self.spec.action.size:
            raise SkillFailed(FailureCode.SPEC_MISMATCH, "this action layout has no command that stands still")
        return np.clip(pose, self.spec.action.low, self.spec.action.high)
