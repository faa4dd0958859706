"""Check everything that an episode needs on this machine, one line each, with the remedy for what is missing.

    python launch/doctor.py [--log-dir FOLDER] [--json FILE]
    python launch/doctor.py --body tcp://HOST:PORT [--keys FOLDER --key NAME] [--wiggle JOINT [--yes]]

With --body it checks a controller and every hop to it instead. Exit code 1 when an episode cannot run.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import tyro
from doctoring.person import Person
from doctoring.progress import Bar
from doctoring.report import flat, line
from machine import Finding, examine
from rich.console import Console


@dataclass(frozen=True)
class Options:
    """What to check, and where to write it."""

    log_dir: Path = Path("runs")
    """Folder that episodes log to."""
    body: str | None = None
    """tcp://HOST:PORT of a controller to check instead of this machine."""
    keys: Path | None = None
    """Folder of keys, for a guarded controller."""
    key: str = "commander"
    """Name of this side's key in it."""
    wiggle: str | None = None
    """Joint to move by 2 degrees and back, with a person standing by; Ctrl-C stops the arm."""
    yes: bool = False
    """Somebody stands by the arm: do not ask before it is moved."""
    json: Path | None = None
    """Also write the findings to this file, as one flat object."""


def findings_of(options: Options, console: Console, bar: Bar) -> Iterator[Finding]:
    if options.body is None:
        return examine(options.log_dir)
    from bridge_doctor import Examination, examine_body  # not before: this script also says what is not installed

    asked = Examination(options.body, options.keys, options.key, options.wiggle)
    return examine_body(asked, agreed=Person(console, options.wiggle, options.yes), show=bar)


def main(options: Options) -> int:
    console = Console(highlight=False, soft_wrap=True)
    bar, findings, interrupted = Bar(console), list[Finding](), False
    try:
        for finding in findings_of(options, console, bar):
            console.print(line(finding))
            findings.append(finding)
    except KeyboardInterrupt:
        interrupted = True
    bar.close()
    report = flat(findings)
    if options.json:
        options.json.write_text(json.dumps(report | ({"ok": False} if interrupted else {}), indent=2) + "\n")
    where, good = "there" if options.body else "here", report["ok"] and not interrupted
    told = f"\n[yellow]Interrupted after {len(findings)} checks.[/yellow] " if interrupted else ""
    console.print(told + (f"An episode can run {where}." if good else f"[red]An episode cannot run {where} yet.[/red]"))
    return 130 if interrupted else 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Options, description=__doc__)))
