"""What passes between planner, policy and verifier: camera points, subgoals, plans, verdicts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import numpy as np

from tandem.bridge.contract.errors import InvalidPlan
from tandem.bridge.contract.skill import SKILLS, ArgumentKind, SkillSpec, skill_named


@dataclass(frozen=True)
class CameraPoint:
    """A pixel that stands for a thing: what a planner that sees images can give.

    Attributes:
        camera: name of the camera.
        u: pixels from the left edge of the image.
        v: pixels from the top edge.
    """

    camera: str
    u: float
    v: float

    def __post_init__(self):
        if not (math.isfinite(self.u) and math.isfinite(self.v) and self.u >= 0 and self.v >= 0):
            raise InvalidPlan(f"camera point ({self.u}, {self.v}) must be finite and not negative")

    def to_dict(self) -> dict[str, Any]:
        """Plain types only."""
        return {"camera": self.camera, "u": float(self.u), "v": float(self.v)}


Argument = str | CameraPoint


def _check_argument(skill: SkillSpec, name: str, value: Any) -> None:
    kinds = {argument.name: argument.kind for argument in skill.arguments}
    if name not in kinds:
        raise InvalidPlan(f"{skill.name} takes no argument {name!r}; it takes: {', '.join(kinds) or 'none'}")
    wanted = {ArgumentKind.TEXT: str, ArgumentKind.POINT: CameraPoint}[kinds[name]]
    if not isinstance(value, wanted) or value == "":
        raise InvalidPlan(f"{skill.name}.{name} must be a {wanted.__name__}, got {value!r}")


@dataclass(frozen=True)
class Subgoal:
    """One step of a plan.

    Attributes:
        skill: a name in the catalogue.
        arguments: by name, as the catalogue types them.
        instruction: the step in plain words, what a language-conditioned policy reads.
        criterion: how one would see that it is done, in plain words.
        timeout_s: body time after which it has failed; None takes the catalogue's.
    """

    skill: str
    arguments: Mapping[str, Argument] = field(default_factory=dict)
    instruction: str = ""
    criterion: str = ""
    timeout_s: float | None = None

    def __post_init__(self):
        skill = skill_named(self.skill)
        for name, value in self.arguments.items():
            _check_argument(skill, name, value)
        missing = sorted(skill.required - set(self.arguments))
        if missing:
            raise InvalidPlan(f"{self.skill} lacks its argument {', '.join(missing)}")
        timeout = skill.timeout_s if self.timeout_s is None else self.timeout_s
        if not (math.isfinite(timeout) and timeout > 0):
            raise InvalidPlan(f"timeout_s must be positive seconds, got {self.timeout_s}")
        object.__setattr__(self, "timeout_s", float(timeout))
        object.__setattr__(self, "arguments", MappingProxyType(dict(self.arguments)))

    def __str__(self) -> str:
        words = [str(value) for value in self.arguments.values() if isinstance(value, str)]
        return f"{self.skill}({', '.join(words)})"

    def to_dict(self) -> dict[str, Any]:
        """Plain types only."""
        arguments = {k: v.to_dict() if isinstance(v, CameraPoint) else v for k, v in self.arguments.items()}
        return {
            "skill": self.skill, "arguments": arguments, "instruction": self.instruction,
            "criterion": self.criterion, "timeout_s": self.timeout_s,
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Subgoal:
        """Inverse of `to_dict`; raises `InvalidPlan` or `UnknownName`."""
        try:
            arguments = {k: CameraPoint(**v) if isinstance(v, Mapping) else v for k, v in fields["arguments"].items()}
            rest = {k: fields[k] for k in ("instruction", "criterion", "timeout_s") if k in fields}
            return cls(fields["skill"], arguments, **rest)
        except (KeyError, TypeError, AttributeError) as reason:
            raise InvalidPlan(f"no subgoal: {reason!r} in {fields!r}") from reason


@dataclass(frozen=True)
class Plan:
    """A planner's answer: what to do, or why it cannot be done. A plan is data.

    Attributes:
        subgoals: in order; empty when infeasible, or when nothing is left to do.
        feasible: False when the instruction cannot be carried out.
        reason: why not, or in a few words why this plan.
        calls: verbatim exchanges with a model (prompt, reply, tokens, latency), for the log.
        privileged: the plan was made from ground truth.
    """

    subgoals: tuple[Subgoal, ...]
    feasible: bool = True
    reason: str = ""
    calls: tuple[Mapping[str, Any], ...] = ()
    privileged: bool = False

    def __post_init__(self):
        object.__setattr__(self, "subgoals", tuple(self.subgoals))
        if not self.feasible and (self.subgoals or not self.reason):
            raise InvalidPlan("an infeasible plan has no subgoals and gives its reason")

    def to_dict(self) -> dict[str, Any]:
        """Plain types only."""
        return {
            "subgoals": [s.to_dict() for s in self.subgoals], "feasible": self.feasible, "reason": self.reason,
            "calls": [dict(c) for c in self.calls], "privileged": self.privileged,
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Plan:
        """Inverse of `to_dict`, further fields of a log's record aside; raises `InvalidPlan` or `UnknownName`."""
        try:
            subgoals = tuple(Subgoal.from_dict(subgoal) for subgoal in fields["subgoals"])
            calls = tuple(dict(call) for call in fields.get("calls", ()))
            return cls(subgoals, fields["feasible"], fields["reason"], calls, fields.get("privileged", False))
        except (KeyError, TypeError, ValueError) as reason:
            raise InvalidPlan(f"no plan: {reason!r} in {fields!r}") from reason


class Outcome(StrEnum):
    """What a verifier can say. `INCONCLUSIVE` is an honest answer."""

    SUCCESS = "success"
    FAILURE = "failure"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class Verdict:
    """A verifier's judgement of one subgoal.

    Attributes:
        outcome: what it says.
        evidence: what that is based on.
        calls: verbatim exchanges with a model, if it asked one. The log holds them as events of their own.
    """

    outcome: Outcome
    evidence: str
    calls: tuple[Mapping[str, Any], ...] = field(default=(), compare=False)

    def __post_init__(self):
        object.__setattr__(self, "outcome", Outcome(self.outcome))
        if not self.evidence:
            raise InvalidPlan("a verdict names its evidence")

    def to_dict(self) -> dict[str, Any]:
        """Plain types only, without the calls."""
        return {"outcome": str(self.outcome), "evidence": self.evidence}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Verdict:
        """Inverse of `to_dict`; raises `InvalidPlan`."""
        try:
            return cls(fields["outcome"], fields["evidence"])
        except (KeyError, TypeError, ValueError) as reason:
            raise InvalidPlan(f"no verdict: {reason!r} in {fields!r}") from reason


@dataclass(frozen=True)
class Attempt:
    """What happened to one subgoal: the planner's history and the log's record.

    Attributes:
        subgoal: what was tried.
        claimed: the policy said that it finished.
        seen: the verifier's verdict, None if it was not asked.
        measured: what the predicate says where there is ground truth, else None. For logs: a planner is given None.
        failure: a code of `FailureCode`, None when the attempt counts as done.
        detail: in plain words.
        start_s: body time.
        end_s: body time.
    """

    subgoal: Subgoal
    claimed: bool
    seen: Verdict | None
    measured: bool | None
    failure: str | None
    detail: str
    start_s: float
    end_s: float

    def to_dict(self) -> dict[str, Any]:
        """Plain types only."""
        seen = None if self.seen is None else self.seen.to_dict()
        return {
            "subgoal": self.subgoal.to_dict(), "claimed": self.claimed, "seen": seen, "measured": self.measured,
            "failure": self.failure, "detail": self.detail, "start_s": self.start_s, "end_s": self.end_s,
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Attempt:
        """Inverse of `to_dict`, further fields of a log's record aside; raises `InvalidPlan` or `UnknownName`."""
        try:
            seen = None if fields["seen"] is None else Verdict.from_dict(fields["seen"])
            rest = {name: fields[name] for name in ("claimed", "measured", "failure", "detail", "start_s", "end_s")}
            return cls(Subgoal.from_dict(fields["subgoal"]), seen=seen, **rest)
        except (KeyError, TypeError) as reason:
            raise InvalidPlan(f"no attempt: {reason!r} in {fields!r}") from reason


@dataclass(frozen=True, eq=False)
class PlanRequest:
    """What a planner is given.

    Attributes:
        instruction: the task in plain words.
        observation: the newest observation, images included (read what is needed).
        catalogue: the skills that the policy offers.
        history: earlier attempts of this episode, oldest first; the last failed one is why it replans.
        cameras: names of the cameras to look through, best first.
    """

    instruction: str
    observation: Mapping[str, np.ndarray]
    catalogue: Mapping[str, SkillSpec] = field(default_factory=lambda: SKILLS)
    history: tuple[Attempt, ...] = ()
    cameras: tuple[str, ...] = ()
