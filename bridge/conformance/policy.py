"""The laws of a `Policy`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from tandem.bridge.conformance.law import refuses, require, same
from tandem.bridge.contract import (
    ActionChunk,
    BodySpec,
    InvalidAction,
    Observation,
    Policy,
    SkillFailed,
    SkillSpec,
    Subgoal,
    UnknownName,
)


def check_policy(
    make_policy: Callable[[], Policy],
    spec: BodySpec,
    observation: Observation,
    subgoals: Iterable[Subgoal],
    *,
    deterministic: bool = True,
) -> None:
    """Raise AssertionError naming the first law of `Policy` that is broken.

    Args:
        make_policy: makes a fresh policy for a body with that specification.
        spec: the body's specification.
        observation: one from that body, images included if the policy reads them.
        subgoals: some that it can begin on from there, at least one.
        deterministic: whether the same observation after `reset` must give the same chunk.
    """
    policy, subgoals = make_policy(), tuple(subgoals)
    require(bool(subgoals), "check_policy needs at least one subgoal that the policy can begin on.")
    named = isinstance(policy.skills, Mapping) and all(
        isinstance(skill, SkillSpec) and skill.name == name for name, skill in policy.skills.items()
    )
    require(named and bool(policy.skills), "skills must map each name to its SkillSpec.", policy.skills)
    for epoch, subgoal in enumerate(subgoals, start=3):
        _check_subgoal(policy, spec, observation, subgoal, epoch, deterministic)
    _check_unknown(policy, observation)


def _check_subgoal(
    policy: Policy, spec: BodySpec, observation: Observation, subgoal: Subgoal, epoch: int, deterministic: bool
) -> None:
    before = {key: np.array(observation[key]) for key in ("joint_position", "gripper_opening", "tool_pose", "time")}
    policy.reset(epoch)
    first = _checked(_infer(policy, observation, subgoal), spec, before["time"], epoch)
    if not first.final:
        second = _checked(_infer(policy, observation, subgoal), spec, before["time"], epoch)
        law = "request_id must count the calls of infer within an epoch."
        require(second.request_id == first.request_id + 1, law, (first.request_id, second.request_id))
    require(not same(before, observation), "infer must not write into the observation.", same(before, observation))
    policy.reset(epoch + 100)
    later = _checked(_infer(policy, observation, subgoal), spec, before["time"], epoch + 100)
    law = "reset must start request_id over."
    require(later.request_id == first.request_id, law, (first.request_id, later.request_id))
    if deterministic:
        law = f"after reset the same observation must give the same chunk ({subgoal}): reset forgets everything."
        require(np.array_equal(first.actions, later.actions), law)


def _infer(policy: Policy, observation: Observation, subgoal: Subgoal) -> ActionChunk:
    try:
        return policy.infer(observation, subgoal)
    except SkillFailed as reason:
        raise AssertionError(f"check_policy needs subgoals that the policy can begin on: {reason}") from reason


def _checked(chunk: ActionChunk, spec: BodySpec, time_s: np.ndarray, epoch: int) -> ActionChunk:
    require(isinstance(chunk, ActionChunk), "infer must return an ActionChunk.", type(chunk))
    require(chunk.epoch == epoch, f"a chunk must carry the epoch of the last reset, {epoch}.", chunk.epoch)
    require(chunk.t0_s == float(time_s[0]), "t0_s must be the time of the observation answered.", chunk.t0_s)
    require(abs(chunk.dt_s - spec.dt_s) < 1e-9, f"dt_s must be the body's control step, {spec.dt_s}.", chunk.dt_s)
    for i, action in enumerate(chunk.actions):
        try:
            spec.action.validate(action)
        except InvalidAction as reason:
            raise AssertionError(f"every action of a chunk must satisfy spec.action; number {i}: {reason}") from reason
    return chunk


def _check_unknown(policy: Policy, observation: Observation) -> None:
    unknown = Subgoal("home")
    object.__setattr__(unknown, "skill", "juggle")  # as a peer with another catalogue might send it
    policy.reset(1)
    law = "a skill that is not among `skills` must raise UnknownName or SkillFailed, never move."
    refuses((UnknownName, SkillFailed), lambda: policy.infer(observation, unknown), law)
