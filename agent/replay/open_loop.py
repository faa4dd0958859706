"""A policy asked again, open loop: it sees what was observed then, and its actions are compared, not carried out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np

from tandem.agent.evaluation.divergence import Finding, Quantity, Status, judge
from tandem.agent.replay.observations import Source
from tandem.bridge.contract import ActionChunk, BodySpec, LogUnreadable, Policy, SkillFailed, Subgoal, TandemError
from tandem.bridge.log import LogReader
from tandem.bridge.log.values import LoggedStep

HOME = Subgoal("home", instruction="step back to see")  # what the agent does between plans belongs to no attempt


@dataclass(frozen=True)
class Segment:
    """Consecutive steps of one subgoal.

    Attributes:
        subgoal: what was to be done.
        steps: the logged ones, those included in which the body waited.
        claimed: the log's policy said with the last of them that it was done; None where the log does not tell.
    """

    subgoal: Subgoal
    steps: tuple[LoggedStep, ...]
    claimed: bool | None = None


@dataclass
class OpenLoop:
    """What a policy would have done.

    Attributes:
        steps: control steps that are compared.
        logged: (T, d) actions of the log.
        again: (T, d) actions of the policy.
        early: by step, how many steps before the log's policy this one claimed to be done.
        late: steps with which the log's policy was done, and this one was not.
        failed: by step, what it failed with where the log's policy went on.
    """

    steps: list[int] = field(default_factory=list)
    logged: list[np.ndarray] = field(default_factory=list)
    again: list[np.ndarray] = field(default_factory=list)
    early: dict[int, int] = field(default_factory=dict)
    late: list[int] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)


def segments(reader: LogReader) -> Iterator[Segment]:
    """The steps of a log by what they were for. Raises `LogUnreadable`, also when steps are missing in between."""
    if lost := reader.missing_steps():
        raise LogUnreadable("the control steps {} to {} are missing: which chunk an action is of cannot be told".format(
            *lost))
    attempts = [(Subgoal.from_dict(attempt["subgoal"]), attempt["claimed"]) for attempt in reader.attempts]
    for number, steps in groupby(reader.steps(), key=lambda step: step.subgoal):
        if number >= len(attempts):  # the log ends before the attempt did
            return
        subgoal, claimed = (HOME, None) if number < 0 else attempts[number]
        yield Segment(subgoal, tuple(steps), claimed)


def open_loop(policy: Policy, parts: Sequence[Segment], source: Source, *, first_step: int = 0) -> OpenLoop:
    """Ask a policy for the actions of every segment, each chunk from the observation that it would have answered.

    Args:
        policy: whatever is to be compared; it is reset for each segment.
        parts: of the log, from its beginning: a policy may remember.
        source: what was observed.
        first_step: steps before it are asked for and not compared.
    """
    result = OpenLoop()
    for epoch, segment in enumerate(parts, start=1):
        policy.reset(epoch)
        _ask(policy, segment, source, result)
    kept = [i for i, step in enumerate(result.steps) if step >= first_step]
    result.steps, result.logged, result.again = (
        [values[i] for i in kept] for values in (result.steps, result.logged, result.again))
    result.early, result.failed = (
        {step: told for step, told in found.items() if step >= first_step} for found in (result.early, result.failed))
    result.late = [step for step in result.late if step >= first_step]
    return result


def _ask(policy: Policy, segment: Segment, source: Source, result: OpenLoop) -> None:
    waiting = [] if all(step.held for step in segment.steps) else list(segment.steps)
    chunk: ActionChunk | None = None
    taken = 0  # actions of it
    while waiting and (chunk is None or not chunk.final):
        try:
            chunk = policy.infer(source.at(waiting[0].index), segment.subgoal)
        except SkillFailed as reason:
            result.failed[waiting[0].index] = str(reason)
            return
        taken = 0
        for action in chunk.actions:
            while waiting and waiting[0].held:  # the body waited for an answer
                waiting.pop(0)
            if not waiting:
                break
            step = waiting.pop(0)
            result.steps.append(step.index)
            result.logged.append(step.action)
            result.again.append(np.asarray(action))
            taken += 1
    left = [step for step in waiting if not step.held]
    if left:
        result.early[left[0].index] = len(left)
    elif segment.claimed and chunk is not None and not (chunk.final and taken == len(chunk)):
        result.late.append(result.steps[-1])


def policy_finding(
    policy: Policy, reader: LogReader, source: Source, spec: BodySpec, *, first_step: int = 0
) -> Finding:
    """The verdict on the policy's layer: action error for each joint in rad and for the gripper's opening."""
    if "/action" not in reader.channels:
        return Finding("policy", Status.INCOMPARABLE, None, "no step was taken in this episode")
    try:
        result = open_loop(policy, list(segments(reader)), source, first_step=first_step)
    except TandemError as reason:
        return Finding("policy", Status.INCOMPARABLE, None, f"{type(reason).__name__}: {reason}")
    if not result.steps:
        return Finding("policy", Status.INCOMPARABLE, None, "the log holds no steps of a policy from there on")
    logged, again = np.array(result.logged), np.array(result.again)
    differs = np.flatnonzero((logged != again).any(axis=1))
    quantities = [
        Quantity(name, "opening" if name == "gripper" else "rad", logged[:, i], again[:, i])
        for i, name in enumerate(spec.action.names)
    ]
    error = np.abs(logged - again).mean(axis=0)
    return judge(
        "policy", quantities, f"{len(logged)} actions, open loop", steps=result.steps,
        differs=result.steps[differs[0]] if len(differs) else None,
        broken=[*result.early, *result.late, *result.failed],
        mean_error=dict(zip(spec.action.names, error.tolist(), strict=True)), pictures=dict(source.used),
        done_early=result.early, not_done=result.late, failed=result.failed,
    )
