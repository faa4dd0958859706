"""What an episode tells its subscribers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np

from tandem.bridge.contract.observation import Observation
from tandem.bridge.contract.plan import Attempt
from tandem.bridge.contract.spec import BodySpec


@dataclass(frozen=True, eq=False)
class EpisodeStart:
    """An episode begins.

    Attributes:
        instruction: the task in plain words.
        spec: the body's specification.
        observation: the first observation.
        manifest: what is needed to make the episode again (versions, seeds, options), plain types.
    """

    instruction: str
    spec: BodySpec
    observation: Observation
    manifest: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Step:
    """One control step.

    Attributes:
        index: counts from 0 within the episode.
        before: the observation that the action answers; its images may be stale by now, `looked_at` holds those seen.
        action: (d,) what the policy put out.
        command: (d,) what the body carried out, after safety.
        observation: the observation after the step.
        phase: what the policy says it is doing.
        subgoal: index of the current attempt, -1 outside one.
        held: True when the body merely went on under its last command while somebody was thinking.
    """

    index: int
    before: Observation
    action: np.ndarray
    command: np.ndarray
    observation: Observation
    phase: str = ""
    subgoal: int = -1
    held: bool = False


class EventKind(StrEnum):
    """The closed list of events."""

    PLAN = "plan"  # data: Plan.to_dict(), latency_s
    SUBGOAL_START = "subgoal_start"  # data: index, of, Subgoal.to_dict()
    SUBGOAL_END = "subgoal_end"  # data: index, Attempt.to_dict()
    RECOVERY = "recovery"  # data: action, reason
    DISTURBANCE = "disturbance"  # data: name, what happened
    THINKING = "thinking"  # data: what, wall_s, charged_steps
    CALLS = "calls"  # data: what ("planner", "verifier"), calls: exchanges with a model that no plan holds
    EXECUTION = "execution"  # data: executor, seam_jerk, stale_action_ratio, ...: how a subgoal was driven
    FALLBACK = "fallback"  # data: skill, from, to, reason: another policy takes over
    FAILURE = "failure"  # data: code, detail
    NOTE = "note"


@dataclass(frozen=True)
class Event:
    """Something that happened, at a body time in seconds; `data` holds plain types."""

    kind: EventKind
    time_s: float
    message: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class EpisodeResult:
    """How an episode ended. Claim, sight and measurement are kept apart.

    Attributes:
        claimed: the agent says that the instruction was carried out.
        seen: the verifier's last word on every subgoal of the final plan, None when there was none to judge.
        measured: the success predicate, None without ground truth.
        infeasible: the agent ended with "cannot be done" (`reason` says why).
        failure: a `FailureCode`, None when claimed.
        reason: in plain words.
        progress: 0..1 where there is ground truth, else None.
        attempts: every subgoal tried, in order.
        steps: control steps.
        plans: planner calls.
        body_s: body time.
        wall_s: wall time.
        privileged: ground truth was used by the planner, the policy or the verifier.
        expected: whether the instruction was feasible at all, None when unknown.
    """

    claimed: bool
    seen: bool | None
    measured: bool | None
    infeasible: bool
    failure: str | None
    reason: str
    progress: float | None
    attempts: tuple[Attempt, ...]
    steps: int
    plans: int
    body_s: float
    wall_s: float
    privileged: bool
    expected: bool | None = None

    @property
    def success(self) -> bool | None:
        """What was measured: the predicate, or the right refusal of an instruction that cannot be carried out."""
        if self.expected is False:
            return self.infeasible
        return self.measured

    @property
    def false_success(self) -> bool | None:
        """Claimed and measured untrue; None without a measurement."""
        return None if self.measured is None else self.claimed and not self.measured

    def to_dict(self) -> dict[str, Any]:
        """Plain types only."""
        fields = {name: value for name, value in vars(self).items() if name != "attempts"}
        return {
            **fields, "attempts": [attempt.to_dict() for attempt in self.attempts],
            "success": self.success, "false_success": self.false_success,
        }
