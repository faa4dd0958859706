"""Every mistake that Tandem can name: one base class, one class per mistake.

A message names the culprit and says what would have worked. Failures of a *task* are no exceptions but codes
(`tandem.bridge.contract.failure`); `SkillFailed` carries one from a policy to the agent's loop.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from tandem.bridge.contract.failure import FailureCode


class TandemError(Exception):
    """Base of every error raised on purpose by Tandem."""


class UnknownName(TandemError):
    """A task, robot, camera, skill, ... was asked for that does not exist.

    Args:
        kind: what kind of thing was named, for example "task".
        name: the name that is not known.
        known: the names that would have worked.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]):
        self.kind, self.name, self.known = kind, name, tuple(known)
        close = difflib.get_close_matches(str(name), self.known, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        super().__init__(f"unknown {kind} {name!r}.{hint} Known: {', '.join(self.known) or 'none'}.")


class InvalidSpec(TandemError):
    """A body's specification contradicts itself (shapes, bounds, names)."""


class SpecMismatch(TandemError):
    """Two specifications that must agree differ; nothing may move.

    Args:
        differences: one line for each field that differs.
    """

    def __init__(self, differences: Iterable[str]):
        self.differences = tuple(differences)
        super().__init__("specifications differ, no motion: " + "; ".join(self.differences))


class InvalidObservation(TandemError):
    """An observation is incomplete, of the wrong shape or dtype, or not finite."""


class StaleObservation(TandemError):
    """An image or reading was asked for after the body had moved on, or is older than allowed."""


class InvalidAction(TandemError):
    """An action or chunk has the wrong shape, is not finite, or lies out of bounds."""


class InvalidPlan(TandemError):
    """A plan or subgoal names what does not exist or contradicts itself."""


class InvalidOption(TandemError):
    """An option on the command line or of a constructor has no meaning."""


class ModelUnusable(TandemError):
    """A model cannot be loaded: not there, no weights, weights that could run code, damaged, too big for the memory."""


class PlannerFailed(TandemError):
    """A planner gave no usable plan. Never an action, never a default plan.

    Args:
        message: what went wrong, and what would have worked.
        calls: the exchanges with a model made so far, verbatim and as plain types, for the log.
    """

    def __init__(self, message: str, calls: Iterable[Mapping[str, Any]] = ()):
        self.calls = tuple(calls)
        super().__init__(message)


class SkillFailed(TandemError):
    """A policy cannot carry out its subgoal.

    Args:
        code: why, from the closed list.
        detail: what happened, in plain words.
    """

    def __init__(self, code: FailureCode, detail: str):
        self.code, self.detail = FailureCode(code), detail
        super().__init__(f"{self.code}: {detail}")


class BodyUnresponsive(TandemError):
    """A body did not answer within its deadline."""


class BodyStopped(TandemError):
    """A body will not carry out this agent's actions any more: a fault is latched, or the lease is another's."""


class PhysicsDiverged(TandemError):
    """MuJoCo warned of a bad state; the simulation is not to be trusted from this step on."""


class LogUnwritable(TandemError):
    """A log cannot be written (read-only folder, full disk); what was written before stays readable."""


class LogUnreadable(TandemError):
    """A log cannot be read, or holds no such channel."""


class UnusableResults(TandemError):
    """A folder of results cannot be read, is of a newer format, or does not belong to what it is compared with."""


class UnusableDataset(TandemError):
    """A dataset lacks files or columns, has other shapes than it says, or cannot hold what is to be exported."""


class MissingDependency(TandemError):
    """A library of the system or of Python is not there.

    Args:
        what: the library, and what it is needed for.
        remedy: the command that installs it.
    """

    def __init__(self, what: str, remedy: str):
        self.what, self.remedy = what, remedy
        super().__init__(f"{what} is missing. Install it with: {remedy}")
