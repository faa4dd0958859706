"""The five interfaces of Tandem, each small enough for an index card. Extend by wrapping."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np

from tandem.bridge.contract.action import ActionChunk
from tandem.bridge.contract.episode import EpisodeResult, EpisodeStart, Event, Step
from tandem.bridge.contract.observation import Observation
from tandem.bridge.contract.plan import Plan, PlanRequest, Subgoal, Verdict
from tandem.bridge.contract.skill import SkillSpec
from tandem.bridge.contract.spec import BodySpec


@runtime_checkable
class Body(Protocol):
    """What moves: simulated, physical or recorded. The shape of `gymnasium.Env`.

    `reset` must come first; `step` before it, or after `close`, raises `InvalidAction`. An action is checked by
    `spec.action.validate` before anything moves. Observations satisfy `observation.validate`. `info` never holds
    ground truth.
    """

    spec: BodySpec

    def reset(self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
              ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode. Returns the first observation and free-form information."""

    def step(self, action: np.ndarray) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Carry out one action (d,) for one control step: observation, reward, terminated, truncated, info."""

    def close(self) -> None:
        """Release everything. Calling it twice is allowed."""


@runtime_checkable
class Policy(Protocol):
    """Turns a subgoal and an observation into an action chunk.

    One that goes on from its own last chunk may have a method `carried_out(count)`: an executor, which need not carry
    out a chunk from its first action to its last, calls it before `infer` with how many of its actions lie behind.

    Attributes:
        skills: the skills it offers, by name.
    """

    skills: Mapping[str, SkillSpec]

    def reset(self, epoch: int) -> None:
        """Forget everything of earlier subgoals; an epoch that is not above the last one begins another episode, and
        nothing is known of it yet. Chunks carry this epoch from now on.
        """

    def infer(self, observation: Observation, subgoal: Subgoal) -> ActionChunk:
        """The next chunk. Raises `SkillFailed` with a code when the subgoal cannot be carried out."""


@runtime_checkable
class Planner(Protocol):
    """Turns words and images into a plan. Raises `PlannerFailed` rather than inventing one.

    One that looks at pictures may say so with an attribute `looks = True`: the arm then steps out of the view before
    every later plan, not only after a failure.
    """

    def plan(self, request: PlanRequest) -> Plan:
        """A plan for what is left to do; `feasible=False` with a reason when it cannot be done."""


@runtime_checkable
class Verifier(Protocol):
    """Judges one subgoal from what was observed before and after it.

    Attributes:
        observes: the observation keys that it reads; the loop keeps exactly these from before the subgoal.

    One that looks at nothing says so with an attribute `looks` of False, and nothing counts as seen.
    """

    observes: tuple[str, ...]

    def reset(self) -> None:
        """Forget everything of earlier episodes."""

    def watch(self, observation: Observation) -> None:
        """Every observation while a subgoal is carried out, in order. Reading its pictures would make them all."""

    def verify(self, subgoal: Subgoal, before: Observation, after: Observation) -> Verdict:
        """Success, failure or inconclusive, with the evidence."""


class Subscriber(Protocol):
    """Listens to an episode: logs, consoles, metrics. It changes nothing."""

    def on_episode_start(self, start: EpisodeStart) -> None:
        """Before the first step."""

    def on_step(self, step: Step) -> None:
        """After an action was chosen for an observation and the body has carried it out."""

    def on_event(self, event: Event) -> None:
        """Plans, subgoals, failures, recoveries."""

    def on_episode_end(self, result: EpisodeResult) -> None:
        """After the last step; also after a failure or Ctrl-C."""
