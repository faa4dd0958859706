"""What a record says of an episode beside its result: a subscriber that writes nothing down but figures."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable

import numpy as np

from tandem.agent.evaluation.results import INFRASTRUCTURE, Address, Record
from tandem.bridge.contract import EpisodeResult, EpisodeStart, Event, EventKind, FailureCode, Step

_OURS = frozenset({FailureCode.LOG_UNWRITABLE, FailureCode.INTERNAL_ERROR, FailureCode.INTERRUPTED})
_SAID = 500  # characters of a reason


class Notes:
    """Listens to one episode.

    Args:
        state: gives the simulator's state (N,) float64; None for a body without one.
    """

    def __init__(self, state: Callable[[], np.ndarray] | None):
        self._state, self._instruction, self._digest = state, "", ""
        self._begun = False
        self._latency_s: list[float] = []
        self._held = 0

    def on_episode_start(self, start: EpisodeStart) -> None:
        """The words, and the state that everything began in."""
        self._begun, self._instruction = True, start.instruction
        if self._state is not None:
            self._digest = hashlib.sha256(np.ascontiguousarray(self._state(), "<f8").tobytes()).hexdigest()

    def on_step(self, step: Step) -> None:
        """Whether somebody was thinking meanwhile."""
        self._held += step.held

    def on_event(self, event: Event) -> None:
        """How long a plan took."""
        if event.kind is EventKind.PLAN:
            self._latency_s.append(event.data["latency_s"])

    def on_episode_end(self, result: EpisodeResult) -> None:
        """Nothing to note: `record` is given the result."""

    def record(self, address: Address, result: EpisodeResult) -> Record:
        """The line of this episode. What kept it from beginning or ending, not being the agent's, is told apart."""
        if not self._begun or result.failure in _OURS:
            return broken(address, str(result.failure), result.reason)
        failure = None if result.failure is None else str(result.failure)
        return Record(
            *address, success=result.success, claimed=result.claimed, seen=result.seen, measured=result.measured,
            false_success=result.false_success, infeasible=result.infeasible, expected=result.expected,
            progress=result.progress, failure=failure, reason=result.reason[:_SAID],
            plans=result.plans, steps=result.steps, held_steps=self._held, body_s=result.body_s, wall_s=result.wall_s,
            success_s=result.body_s if result.success else None, plan_latency_s=tuple(self._latency_s),
            privileged=result.privileged, instruction=self._instruction, state_digest=self._digest,
            host=platform.node(),
        )


def broken(address: Address, failure: str, reason: str) -> Record:
    """The line of a try that did not end, for reasons that are not the agent's."""
    return Record(*address, kind=INFRASTRUCTURE, failure=failure, reason=reason[-_SAID:], host=platform.node())
