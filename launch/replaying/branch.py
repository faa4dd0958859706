"""Goes on from a step of a logged episode in another way, as often as wanted.

Up to that step the episode is gone through again, plans as they were logged, states as they were logged; so the agent
arrives with all that it knew then. Another planner, or another instruction, is asked for a plan right there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from composition import Rig
from replaying.logged import Logged

from tandem.agent.replay.plans import asked
from tandem.bridge.contract import (
    ActionChunk,
    Body,
    FailureCode,
    InvalidOption,
    LogUnreadable,
    Observation,
    Plan,
    Planner,
    PlannerFailed,
    PlanRequest,
    Policy,
    SkillFailed,
    Subgoal,
)
from tandem.sim.disturbances import disturbance_named
from tandem.sim.jitter import jitter

JITTER_M = 0.002


@dataclass(frozen=True)
class Fork:
    """Where and how to go on.

    Attributes:
        step: first control step that is carried out anew.
        changes: choices of the system that are exchanged.
        instruction: told instead of the episode's; None for that.
        jitter_m: standard deviation of a shift of what lies about, for each seed another one.
    """

    step: int
    changes: Mapping[str, Any]
    instruction: str | None = None
    jitter_m: float = JITTER_M

    @property
    def plans_anew(self) -> bool:
        """Whether the planner is asked at the step, whatever was planned before."""
        return self.instruction is not None or bool({"planner", "perceiver"} & set(self.changes))


@dataclass(frozen=True)
class Course:
    """How one branch went.

    Attributes:
        seed: of the branch.
        success: measured.
        claimed: by the agent.
        failure: a `FailureCode`, None when claimed.
        progress: 0..1.
        steps: control steps from the fork on.
        deviated: step before the fork at which the policy did otherwise than logged, None when it did not.
    """

    seed: int
    success: bool | None
    claimed: bool
    failure: str | None
    progress: float | None
    steps: int
    deviated: int | None

    def to_dict(self) -> dict[str, Any]:
        """Plain types."""
        return asdict(self)


class Forked:
    """A body that goes through a log up to a step; see `Body`.

    Args:
        inner: a simulation of the log's world.
        logged: the log.
        plans_anew: what was planned before ends at the step, as a failure of the planner.
    """

    def __init__(self, inner: Body, logged: Logged, plans_anew: bool):
        self.spec, self._inner, self._logged, self._plans_anew = inner.spec, inner, logged, plans_anew
        self._actions = logged.reader.actions()[1] if "/action" in logged.reader.channels else ()
        self.row, self.free, self.deviated = 0, False, None
        self._step, self._arrive, self._asks = 0, dict, False

    def fork_at(self, step: int, arrive: Callable[[], Observation]) -> None:
        """For the next episode: where it becomes free, and what is done to the world there."""
        self._step, self._arrive = step, arrive

    def reset(self, *, seed: int | None = None, options: Mapping[str, Any] | None = None) -> tuple[Observation, dict]:
        """The log's world, at its start or at the step."""
        observation, info = self._inner.reset(seed=seed, options=options)
        if not np.array_equal(self._inner.state(), self._logged.states[0]):
            raise LogUnreadable(f"the manifest of {self._logged.reader.path} makes another world now (other version?); "
                                "it cannot be gone on from")
        self.row, self.free, self.deviated, self._asks = 0, False, None, self._plans_anew
        return (self._become_free() if self.row == self._step else observation), info

    def step(self, action: np.ndarray) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """One control step: of the log, or a new one."""
        if self.free and self._asks:
            self._asks = False
            raise SkillFailed(FailureCode.PLANNER_FAILED, "the fork: another plan is wanted from here on")
        if not self.free and self.deviated is None and not np.array_equal(action, self._actions[self.row]):
            self.deviated = self.row
        observation, *rest = self._inner.step(action)
        if self.free:
            return observation, *rest
        self.row += 1
        if not np.array_equal(self._inner.state(), self._logged.states[self.row]):
            observation = self._inner.restore(self._logged.states[self.row])
        return (self._become_free() if self.row == self._step else observation), *rest

    def _become_free(self) -> Observation:
        self.free = True
        return self._arrive()

    def close(self) -> None:
        """Of the inner one."""
        self._inner.close()


class Recalled:
    """Plans as they were logged until the body is free, then those of another planner, perhaps told something else."""

    def __init__(self, plans: Sequence[Plan], then: Planner, free: Callable[[], bool], instruction: str | None):
        self._plans, self._then, self._free, self._given, self._told = plans, then, free, 0, instruction
        self.looks = getattr(then, "looks", False)

    def begin(self) -> None:
        """A new episode."""
        self._given = 0

    def describe(self) -> dict[str, Any]:
        """Of the planner that comes after."""
        return self._then.describe()

    def plan(self, request: PlanRequest) -> Plan:
        """See `Planner`."""
        if self._free():
            return self._then.plan(replace(request, instruction=self._told or request.instruction))
        if self._given >= len(self._plans):
            raise PlannerFailed("the log holds no further plan: the policy went another way before the fork")
        self._given += 1
        return replace(self._plans[self._given - 1], calls=())


class Handover:
    """A policy until the body is free, then another one."""

    def __init__(self, first: Policy, then: Policy, free: Callable[[], bool]):
        self._first, self._then, self._free, self._now, self._epoch = first, then, free, first, 0
        self.skills = first.skills
        self.privileged = getattr(first, "privileged", False) or getattr(then, "privileged", False)

    def reset(self, epoch: int) -> None:
        """See `Policy`."""
        self._epoch, self._now = epoch, self._then if self._free() else self._first
        self._now.reset(epoch)

    def infer(self, observation: Observation, subgoal: Subgoal) -> ActionChunk:
        """See `Policy`."""
        if self._free() and self._now is not self._then:
            self.reset(self._epoch)
        return self._now.infer(observation, subgoal)


class ForkedRig(Rig):
    """The system of a log over a body that can be forked, for as many branches as wanted.

    Args:
        logged: the log.
        fork: what is exchanged.
    """

    def __init__(self, logged: Logged, fork: Fork):
        system = logged.system({})
        self._logged, self._fork, self._before = logged, fork, system
        self._plans = [call.plan for call in asked(logged.reader)]
        super().__init__(replace(system, **{k: v for k, v in fork.changes.items() if k != "disturb"}))
        self.body = Forked(self.stage.body, logged, fork.plans_anew)

    def make_planner(self) -> Planner:
        """See `Rig`."""
        return Recalled(self._plans, super().make_planner(), lambda: self.body.free, self._fork.instruction)

    def make_policy(self) -> Policy:
        """See `Rig`; what the log's policy remembers by the fork is lost when another one takes over."""
        then = super().make_policy()
        if self.system.policy == self._before.policy:
            return then
        changed, self.system = self.system, replace(self.system, policy=self._before.policy)
        first, self.system = super().make_policy(), changed
        return Handover(first, then, lambda: self.body.free)

    def branch(self, step: int, seed: int) -> Course:
        """One course from a step on. Seed 0 begins exactly in the logged state, every other a little beside it."""
        simulation, fork = self.stage.body, self._fork

        def arrive() -> Observation:
            rng = np.random.default_rng([self._logged.seed, step, seed])
            if seed:
                jitter(self.truth, rng, fork.jitter_m)
            if "disturb" in fork.changes:
                return simulation.disturb([disturbance_named(name) for name in fork.changes["disturb"]], rng)
            return simulation.look()

        self._planner.begin()
        self.body.fork_at(step, arrive)
        result = self.run(self._logged.seed, **self._logged.options)
        return Course(
            seed, result.success, result.claimed, result.failure and str(result.failure), result.progress,
            result.steps - step, self.body.deviated,
        )


def forked(logged: Logged, fork: Fork) -> ForkedRig:
    """A rig for branches. Raises `InvalidOption` for a log that cannot be gone through here, or has no such step."""
    if logged.obstacle:
        raise InvalidOption(f"{logged.reader.path} cannot be gone on from: {logged.obstacle}")
    if not 0 <= fork.step < len(logged.states):
        raise InvalidOption(f"--from {fork.step}: this log has the steps 0 to {len(logged.states) - 2}")
    return ForkedRig(logged, fork)

