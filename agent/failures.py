"""Which failure code an error stands for: one table, so that a log, a recovery and a statistic use the same word."""

from __future__ import annotations

from tandem.bridge.contract import (
    BodyStopped,
    BodyUnresponsive,
    FailureCode,
    InvalidAction,
    InvalidObservation,
    LogUnwritable,
    PhysicsDiverged,
    PlannerFailed,
    SkillFailed,
    SpecMismatch,
    StaleObservation,
)

_CODES: dict[type[BaseException], FailureCode] = {
    BodyStopped: FailureCode.BODY_STOPPED,
    BodyUnresponsive: FailureCode.BODY_UNRESPONSIVE,
    ConnectionError: FailureCode.BODY_UNRESPONSIVE,
    TimeoutError: FailureCode.BODY_UNRESPONSIVE,
    PhysicsDiverged: FailureCode.PHYSICS_DIVERGED,
    InvalidObservation: FailureCode.INVALID_OBSERVATION,
    StaleObservation: FailureCode.STALE_OBSERVATION,
    InvalidAction: FailureCode.INVALID_ACTION,
    SpecMismatch: FailureCode.SPEC_MISMATCH,
    PlannerFailed: FailureCode.PLANNER_FAILED,
    LogUnwritable: FailureCode.LOG_UNWRITABLE,
    KeyboardInterrupt: FailureCode.INTERRUPTED,
}

NAMED = (SkillFailed, *_CODES)
"""The errors that end an attempt or an episode with a code. Any other is a mistake in a program and propagates."""

UNTRUSTED = frozenset({FailureCode.BODY_STOPPED, FailureCode.BODY_UNRESPONSIVE, FailureCode.PHYSICS_DIVERGED})
"""After these not even the ground truth is to be asked."""


def code_of(error: BaseException) -> FailureCode:
    """The code of one of the errors in `NAMED`."""
    if isinstance(error, SkillFailed):
        return error.code
    return next(code for kind, code in _CODES.items() if isinstance(error, kind))


def words_of(error: BaseException) -> str:
    """The error in plain words."""
    if isinstance(error, SkillFailed):
        return error.detail
    return str(error) or ("interrupted by a person" if isinstance(error, KeyboardInterrupt) else type(error).__name__)
