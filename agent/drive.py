"""The one place from which the body moves: counts steps, checks what comes back, remembers the last command."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from tandem.agent.broadcast import Broadcast
from tandem.bridge.contract import (
    ActionKind,
    Body,
    EpisodeStart,
    Event,
    EventKind,
    FailureCode,
    InvalidOption,
    Observation,
    SkillFailed,
    StaleObservation,
    Step,
    observation,
)

_OVER = "the body ended the episode"


class Drive:
    """A body during one episode.

    Args:
        body: what moves.
        broadcast: told of every step and event.
        budget: control steps that the episode may take.

    Attributes:
        observation: the newest one.
        steps: control steps so far.
        subgoal: index of the current attempt, -1 outside one.
    """

    def __init__(self, body: Body, broadcast: Broadcast, budget: int):
        self._body, self._broadcast, self._budget = body, broadcast, budget
        self.observation: Observation = {}
        self.steps, self.subgoal = 0, -1
        self._noticed: list[Event] = []
        self._start_s, self._over = math.nan, False

    def start(
        self, instruction: str | None, seed: int | None, options: Mapping[str, Any] | None, manifest: Mapping[str, Any]
    ) -> str:
        """Reset the body. Until the first action its command is the pose in which it stands.

        Returns the instruction: the one given, or else the one that the body's reset tells.
        """
        first, info = self._body.reset(seed=seed, options=options)
        instruction = instruction or info.get("instruction")
        if not instruction:
            raise InvalidOption("no instruction: this body has none of its own, so give one in plain words")
        self.spec = self._body.spec
        observation.validate(first, self.spec)
        self.observation, self._start_s = first, float(first["time"][0])
        self._command = self._standing()
        self._broadcast.start(EpisodeStart(instruction, self.spec, first, manifest))
        return instruction

    def _standing(self) -> np.ndarray | None:
        """The measured pose as a command; None where a third party's layout has no such thing, whatever its size."""
        action = self.spec.action
        if action.kind is not ActionKind.JOINT_POSITION_GRIPPER:
            return None
        pose = np.append(self.observation["joint_position"], self.observation["gripper_opening"])
        return np.clip(pose, action.low, action.high)

    @property
    def time_s(self) -> float:
        """The body's clock, 0 before the first observation."""
        return float(self.observation["time"][0]) if self.observation else 0.0

    @property
    def elapsed_s(self) -> float:
        """Body time since the start of the episode."""
        return self.time_s - self._start_s if self.observation else 0.0

    def advance(self, action: np.ndarray, *, phase: str = "", held: bool = False) -> None:
        """Carry out one action and tell the subscribers.

        Raises `SkillFailed(BUDGET_EXHAUSTED)`, `StaleObservation`, `InvalidObservation` and what the body raises.
        """
        if self._over:
            raise SkillFailed(FailureCode.BUDGET_EXHAUSTED, _OVER)
        if self.steps >= self._budget:
            raise SkillFailed(FailureCode.BUDGET_EXHAUSTED, f"the episode's {self._budget} control steps are used up")
        before = self.observation
        after, _, terminated, truncated, info = self._body.step(action)
        observation.validate(after, self.spec)
        if after["time"][0] <= before["time"][0]:
            raise StaleObservation(f"the body's clock stands at {before['time'][0]:.3f} s: it delivers no new reading")
        self.observation, self._command = after, action
        step = Step(
            self.steps, before, action, info.get("command", action), after, phase=phase, subgoal=self.subgoal, held=held
        )
        self.steps += 1
        self._broadcast.step(step)
        self._tell_noticed()
        if terminated or truncated:
            self._over = True  # whoever takes this for the failure of one motion may not move on
            raise SkillFailed(FailureCode.BUDGET_EXHAUSTED, _OVER)

    def hold(self, seconds: float, *, phase: str = "hold") -> int:
        """Go on under the last command for at least that long; returns the control steps it took."""
        steps = math.ceil(seconds * self.spec.control_hz - 1e-9)
        if steps and self._command is None:
            raise SkillFailed(FailureCode.SPEC_MISMATCH, "this body's action layout has no command that stands still")
        for _ in range(steps):
            self.advance(self._command, phase=phase, held=True)
        return steps

    def notice(self, event: Event) -> None:
        """Something that the body or the policy reports; subscribers hear it after the present step or event."""
        self._noticed.append(event)

    def _tell_noticed(self) -> None:
        while self._noticed:
            self._broadcast.event(self._noticed.pop(0))

    def event(self, kind: EventKind, message: str, **data: Any) -> None:
        """Tell the subscribers that something happened now."""
        self._broadcast.event(Event(kind, self.time_s, message, data))
        self._tell_noticed()
