"""Runs the checks in order and keeps what each found."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

import zmq

from tandem.bridge.client.contact import Contact
from tandem.bridge.conformance.controller import commands, greeting, hostile, leases, motion, stopping
from tandem.bridge.conformance.controller.bench import Bench, Skipped
from tandem.bridge.contract.errors import TandemError, UnknownName


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        name: of the check.
        law: what must hold, in plain words.
        outcome: "pass", "fail" or "skip".
        evidence: what was seen.
    """

    name: str
    law: str
    outcome: str
    evidence: str


Check = Callable[[Bench], str]
CHECKS: tuple[Check, ...] = (
    *greeting.CHECKS, *leases.CHECKS, *commands.CHECKS, *motion.CHECKS, *hostile.CHECKS, *stopping.CHECKS,
)
_ODD = (KeyError, ValueError, TypeError, IndexError, zmq.ZMQError)  # what a controller that says odd things leads to


def name_of(check: Check) -> str:
    """What a check is called."""
    return check.__name__.replace("_", " ")


def check_controller(
    contact: Contact, *, observer: Contact | None = None, supervisor: Contact | None = None, move: bool = True,
    only: Collection[str] = (),
) -> Iterator[Finding]:
    """Each finding as it is made.

    Args:
        contact: the controller, as a commander (or as a supervisor where everybody is one).
        observer: the same with an observer's key; checks of that role are skipped without.
        supervisor: with a supervisor's key; None when `contact` may clear faults.
        move: the arm may move, by 2 degrees or 1 % of its range, and is stopped on purpose.
        only: names of the checks to make; all of them if left out.

    Raises:
        BodyStopped: a fault is latched or somebody holds the lease; nothing was checked.
        BodyUnresponsive: nobody answers.
        UnknownName: there is no check of that name.
    """
    known = {name_of(check): check for check in CHECKS}
    for name in only:
        if name not in known:
            raise UnknownName("check", name, known)
    with Bench(contact, observer=observer, supervisor=supervisor, move=move) as bench:
        for name, check in known.items():
            if not only or name in only:
                yield _run(check, bench)


def _run(check: Check, bench: Bench) -> Finding:
    name, law = name_of(check), " ".join((check.__doc__ or "").split())
    if bench.left:
        return Finding(name, law, "skip", bench.left)
    outcome, evidence = _try(check, bench)
    left = bench.tidy()
    if left and outcome != "fail":
        return Finding(name, law, "fail", left)
    return Finding(name, law, outcome, evidence)


def _try(check: Check, bench: Bench) -> tuple[str, str]:
    try:
        return "pass", check(bench)
    except Skipped as reason:
        return "skip", str(reason)
    except AssertionError as reason:
        return "fail", str(reason)
    except (TandemError, *_ODD) as reason:
        return "fail", f"{type(reason).__name__}: {reason}"
