"""A policy, a planner and a verifier that satisfy their contracts and know nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tandem.bridge.contract import (
    SKILLS,
    ActionChunk,
    BodySpec,
    Observation,
    Outcome,
    Plan,
    PlanRequest,
    SkillSpec,
    Subgoal,
    Verdict,
    skill_named,
)


class DummyPolicy:
    """Goes home in a few chunks whatever it is asked, then says that it is done.

    Args:
        spec: the body to drive.
        chunks: how many chunks until it claims to be done.
        horizon: actions in a chunk.
        skills: what it offers.
    """

    def __init__(
        self, spec: BodySpec, *, chunks: int = 2, horizon: int = 4, skills: Mapping[str, SkillSpec] = SKILLS
    ):
        self.skills, self._spec, self._chunks, self._horizon = skills, spec, chunks, horizon
        self.reset(0)

    def reset(self, epoch: int) -> None:
        """Forget the chunks given so far."""
        self._epoch, self._calls = epoch, 0

    def infer(self, observation: Observation, subgoal: Subgoal) -> ActionChunk:
        """A straight line from the measured pose towards home."""
        skill_named(subgoal.skill, self.skills)
        action = self._spec.action
        here = np.clip([*observation["joint_position"], *observation["gripper_opening"]], action.low, action.high)
        there = np.append(self._spec.home, here[-1])
        self._calls += 1
        return ActionChunk(
            np.linspace(here, there, self._horizon + 1)[1:], self._spec.dt_s, float(observation["time"][0]),
            self._epoch, self._calls - 1, final=self._calls >= self._chunks, phase="home",
        )


class DummyPlanner:
    """Plans a fixed list of subgoals and drops those that its history says are done.

    Args:
        subgoals: what is to be done, each different from the others.
    """

    def __init__(self, subgoals: Sequence[Subgoal]):
        self._subgoals = tuple(subgoals)

    def plan(self, request: PlanRequest) -> Plan:
        """What the history does not show as done, or an infeasible plan when a skill is not offered."""
        for subgoal in self._subgoals:
            if subgoal.skill not in request.catalogue:
                return Plan((), feasible=False, reason=f"nobody here can {subgoal.skill}")
        done = {str(attempt.subgoal) for attempt in request.history if attempt.failure is None}
        return Plan(tuple(subgoal for subgoal in self._subgoals if str(subgoal) not in done))


class DummyVerifier:
    """Says the same of everything.

    Args:
        outcome: what it says.
    """

    observes: tuple[str, ...] = ("tool_pose",)

    def __init__(self, outcome: Outcome = Outcome.SUCCESS):
        self._outcome = outcome

    def reset(self) -> None:
        """It remembers nothing."""

    def watch(self, observation: Observation) -> None:
        """It needs nothing of what happens in between."""

    def verify(self, subgoal: Subgoal, before: Observation, after: Observation) -> Verdict:
        """The outcome that it was made with."""
        moved = float(np.linalg.norm(after["tool_pose"][:3] - before["tool_pose"][:3]))
        return Verdict(self._outcome, f"a dummy's word; the tool moved {moved:.3f} m")
