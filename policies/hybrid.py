"""One policy where it is sure of itself, another where it is not: and every change is said.

At the beginning of a subgoal the first policy (a learned one) is given a chance if it offers the skill and passes the
preflight. Its chunks are carried out while its confidence lasts; after that, and for the rest of the subgoal, the
second policy (the motion policy) drives. Who asks for a subgoal again has seen that it was not done, however sure the
first policy was: after so many tries it is the second's. What was decided, and why, becomes an event; without a
listener, a warning.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from tandem.bridge.contract import (
    ActionChunk,
    ActionKind,
    Event,
    EventKind,
    InvalidOption,
    Observation,
    Policy,
    SkillSpec,
    SpecMismatch,
    Subgoal,
    TandemError,
    skill_named,
)
from tandem.bridge.contract import observation as keys

_LOG = logging.getLogger(__name__)


class HybridPolicy:
    """See the module.

    Args:
        first: driven by as long as it is sure. It says how sure with `confidence`, 0..1: an attribute about its last
            chunk, or a method of observation and subgoal, asked before each. Without either only the preflight counts.
        second: takes over. One with a method `take_over(command)` is told what the first commanded last (d,).
        least: confidence below which it does.
        tries: of the first policy at one subgoal in an episode, as far as it is about some thing.
        preflight: raises a `TandemError` that says why the first policy should not even begin (an unknown camera, a
            point that it cannot use); None lets it begin with every skill that it offers.

    Attributes:
        skills: those of both; where both offer one, as the second describes it.

    Raises:
        InvalidOption: `least` is not within 0..1, or there are no tries.
        SpecMismatch: the two are made for different action layouts.
    """

    def __init__(
        self, first: Policy, second: Policy, *, least: float = 0.5, tries: int = 2,
        preflight: Callable[[Observation, Subgoal], None] | None = None,
    ):
        if not 0 <= least <= 1:
            raise InvalidOption(f"the least confidence is a number from 0 to 1, got {least}")
        if tries < 1:
            raise InvalidOption(f"the first policy has at least one try at a subgoal, got {tries}")
        kinds = [getattr(policy, "action_kind", ActionKind.JOINT_POSITION_GRIPPER) for policy in (first, second)]
        if kinds[0] != kinds[1]:
            raise SpecMismatch([f"action_kind: {kinds[0]} of {_name(first)}, {kinds[1]} of {_name(second)}"])
        self.first, self.second, self.least, self._preflight = first, second, least, preflight
        self._tries, self._tried, self._epoch = tries, Counter[str](), 0
        self.skills: Mapping[str, SkillSpec] = {**first.skills, **second.skills}
        self.action_kind = kinds[0]
        self.privileged = any(getattr(policy, "privileged", False) for policy in (first, second))
        self._tell: Callable[[Event], None] | None = None
        self._drove: Policy | None = None  # who made the chunk that was handed out last
        self._command: np.ndarray | None = None  # (d,) what was commanded last
        self._commands: list[np.ndarray | None] = [None]  # the one before that chunk, and its own
        self.reset(0)

    def listen(self, tell: Callable[[Event], None]) -> None:
        """Tell of every fallback, such as to `Agent.notice`."""
        self._tell = tell
        for policy in (self.first, self.second):
            if hasattr(policy, "listen"):
                policy.listen(tell)

    def reset(self, epoch: int) -> None:
        """Forget who drives; in another episode, also what was tried."""
        if epoch <= self._epoch:
            self._tried.clear()
        self._epoch, self._request = epoch, 0
        self._driving: Policy | None = None
        self._subgoal: Subgoal | None = None
        for policy in (self.first, self.second):
            policy.reset(epoch)

    def carried_out(self, count: int) -> None:
        """See `Policy`: passed on to whoever drives."""
        self._command = self._commands[min(count, len(self._commands) - 1)]
        if hasattr(self._driving, "carried_out"):
            self._driving.carried_out(count)

    def infer(self, observation: Observation, subgoal: Subgoal) -> ActionChunk:
        """The next chunk of whoever drives.

        Raises:
            UnknownName: neither offers the skill.
            SkillFailed: the one who drives gives up. That is the agent's to remedy, and no reason to change over.
        """
        skill_named(subgoal.skill, self.skills)
        if self._driving is None or subgoal != self._subgoal:
            self._driving, self._subgoal = self.first, subgoal
            self._doubt(self._unfit(observation, subgoal), observation, subgoal)
            self._tried[str(subgoal)] += self._driving is self.first
        if self._driving is self.first:
            self._doubt(self._unsure_before(observation, subgoal), observation, subgoal)
        chunk = self._driving.infer(observation, subgoal)
        if self._driving is self.first and (reason := self._unsure_after()):
            self._doubt(reason, observation, subgoal)
            chunk = self._driving.infer(observation, subgoal)
        self._request += 1
        self._drove, self._commands = self._driving, [self._command, *chunk.actions]
        self._command = self._commands[-1]
        return replace(chunk, request_id=self._request - 1)

    def _unfit(self, observation: Observation, subgoal: Subgoal) -> str:
        """Why the first policy should not begin; empty if it may."""
        if subgoal.skill not in self.first.skills:
            return f"it does not offer the skill {subgoal.skill!r}"
        if self._tried[str(subgoal)] >= self._tries and subgoal.arguments and subgoal.skill in self.second.skills:
            return f"it has had {self._tries} tries at {subgoal}"
        try:
            if self._preflight is not None:
                self._preflight(observation, subgoal)
        except TandemError as error:
            return f"the preflight says: {error}"
        return ""

    def _unsure_before(self, observation: Observation, subgoal: Subgoal) -> str:
        """Why the next chunk should not be asked for; empty if it may."""
        confidence = getattr(self.first, "confidence", None)
        return self._short_of(confidence(observation, subgoal)) if callable(confidence) else ""

    def _unsure_after(self) -> str:
        """Why the chunk just made should not be carried out; empty if it may."""
        confidence = getattr(self.first, "confidence", None)
        return "" if callable(confidence) else self._short_of(confidence)

    def _short_of(self, confidence: float | None) -> str:
        if confidence is None or confidence >= self.least:
            return ""
        return f"its confidence {confidence:.2f} is below {self.least:.2f}"

    def _doubt(self, reason: str, observation: Observation, subgoal: Subgoal) -> None:
        """Change over, and say so, if there is a reason. Raises `UnknownName` if the second cannot do it either."""
        if not reason:
            return
        skill_named(subgoal.skill, self.second.skills)
        names = {"from": _name(self.first), "to": _name(self.second)}
        words = f"{subgoal.skill}: {names['to']} takes over from {names['from']}: {reason}"
        data = {"skill": subgoal.skill, **names, "reason": reason}
        self._driving = self.second
        if self._drove is self.first and self._command is not None and hasattr(self.second, "take_over"):
            self.second.take_over(self._command)
        if self._tell is None:
            _LOG.warning(words)
        else:
            self._tell(Event(EventKind.FALLBACK, float(observation[keys.TIME][0]), words, data))


def _name(policy: Policy) -> str:
    return getattr(policy, "name", type(policy).__name__)
