"""Check a controller, yours or ours, from outside: does it keep the laws of bridge/PROTOCOL.md?

    python launch/check_controller.py tcp://127.0.0.1:7000
    python launch/check_controller.py tcp://arm:7000 --keys keys --observer-key eve --supervisor-key supervisor

It moves the first joint by 2 degrees (1 % of a short range), stops the arm on purpose and clears the faults that it
causes, never another's; with --no-move it moves nothing. Stand by. Exit code 1 when a check fails, 2 when none could be
made.
"""

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import tyro
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from script import run

from tandem.bridge.client import Contact
from tandem.bridge.conformance.controller import Finding, check_controller

COLOUR = {"pass": "green", "skip": "yellow", "fail": "red"}


@dataclass(frozen=True)
class Options:
    """Which controller, and as whom."""

    endpoint: tyro.conf.Positional[str]
    """tcp://HOST:PORT of its control socket."""
    keys: Path | None = None
    """Folder of keys, for a guarded controller."""
    key: str = "commander"
    """A commander's key in it."""
    observer_key: str | None = None
    """An observer's, to check that role."""
    supervisor_key: str | None = None
    """A supervisor's, to clear the faults that the checks cause; without, a commander's --key skips those checks."""
    move: bool = True
    """The arm may be moved."""
    only: tuple[str, ...] = ()
    """Names of the checks to make, for example "silence"; all if left out."""
    json: Path | None = None
    """Also write the findings to this file."""


def contact(options: Options, key: str | None) -> Contact | None:
    return key and Contact.at(options.endpoint, keys=options.keys, key=key)


def main(options: Options) -> int:
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
    findings = list[Finding]()
    with console.status("checking") as status:
        for finding in check_controller(
            contact(options, options.key), observer=contact(options, options.observer_key),
            supervisor=contact(options, options.supervisor_key), move=options.move,
            only=options.only,
        ):
            findings.append(finding)
            status.update(f"{len(findings)} checked, the last: {finding.name}")
    table = Table("check", "", "evidence", title=options.endpoint)
    for finding in findings:
        colour = COLOUR[finding.outcome]
        law = f"\n[dim]law: {escape(finding.law)}[/]" if finding.outcome == "fail" else ""
        table.add_row(finding.name, f"[{colour}]{finding.outcome}[/]", escape(finding.evidence) + law)
    console.print(table)
    failed, skipped = (sum(finding.outcome == outcome for finding in findings) for outcome in ("fail", "skip"))
    verdict = f"{failed} of {len(findings)} checks failed" if failed else "every law that was checked holds"
    console.print(f"{verdict}, {skipped} skipped" if skipped else verdict)
    if options.json:
        options.json.write_text(json.dumps([asdict(finding) for finding in findings], indent=2) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    run(lambda: main(tyro.cli(Options, description=__doc__)))
