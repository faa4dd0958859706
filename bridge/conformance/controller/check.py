"""Runs the checks in order and keeps what each found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tandem.bridge.client.contact import Contact
from tandem.bridge.conformance.controller import commands, greeting, hostile, leases, motion, stopping
from tandem.bridge.conformance.controller.bench import Bench, Skipped
from tandem.bridge.contract.errors import TandemError


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


def check_controller(
    contact: Contact, *, observer: Contact | None = None, supervisor: Contact | None = None, move: bool = True
) -> Iterator[Finding]:
    """Each finding as it is made.

    Args:
        contact: the controller, as a commander (or as a supervisor where everybody is one).
        observer: the same with an observer's key; checks of that role are skipped without.
        supervisor: with a supervisor's key; None when `contact` may clear faults.
        move: the arm may move, by 2 degrees or 2 % of its range, and is stopped on purpose.
    """
    with Bench(contact, observer=observer, supervisor=supervisor, move=move) as bench:
        for check in CHECKS:
            yield _run(check, bench)


def _run(check: Check, bench: Bench) -> Finding:
    name, law = check.__name__.replace("_", " "), " ".join((check.__doc__ or "").split())
    try:
        return Finding(name, law, "pass", check(bench))
    except Skipped as reason:
        return Finding(name, law, "skip", str(reason))
    except AssertionError as reason:
        return Finding(name, law, "fail", str(reason))
    except TandemError as reason:
        return Finding(name, law, "fail", f"{type(reason).__name__}: {reason}")
    finally:
        bench.tidy()
