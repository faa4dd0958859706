"""Check everything that an episode needs on this machine, one line each, with the remedy for what is missing.

    python launch/doctor.py [--log-dir FOLDER] [--json FILE]
    python launch/doctor.py --body tcp://HOST:PORT [--keys FOLDER] [--wiggle JOINT]

With --body it checks a controller and every hop to it instead. Exit code 1 when an episode cannot run.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import tyro
from machine import Finding, examine
from rich.console import Console
from rich.markup import escape

COLOUR = {"ok": "green", "warn": "yellow", "fail": "red"}


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
    """Joint to move by 2 degrees and back, with a person standing by."""
    json: Path | None = None
    """Also write the findings to this file, as one flat object."""


def line(finding: Finding) -> str:
    colour = COLOUR[finding.status]
    remedy = f"\n     [bold]remedy[/bold]  {escape(finding.remedy)}" if finding.remedy else ""
    return f"[{colour}]{finding.status:4}[/{colour}] {finding.name:10}  {escape(finding.detail)}{remedy}"


def flat(findings: list[Finding]) -> dict[str, str | bool]:
    rows = {"ok": all(finding.status != "fail" for finding in findings)}
    for finding in findings:
        name = finding.name.replace(" ", "_")
        rows |= {name: finding.status, f"{name}_detail": finding.detail, f"{name}_remedy": finding.remedy}
    return rows


def findings_of(options: Options) -> Iterator[Finding]:
    if options.body is None:
        return examine(options.log_dir)
    from bridge_doctor import examine_body  # not before: this script also says what is not installed

    def agreed(question: str) -> bool:
        return sys.stdin.isatty() and input(question).strip() == options.wiggle

    return examine_body(options.body, options.keys, options.key, options.wiggle, agreed)


def main(options: Options) -> int:
    console = Console(highlight=False, soft_wrap=True)
    findings = []
    for finding in findings_of(options):
        console.print(line(finding))
        findings.append(finding)
    report = flat(findings)
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n")
    where = "there" if options.body else "here"
    console.print(f"An episode can run {where}." if report["ok"] else f"[red]An episode cannot run {where} yet.[/red]")
    return 0 if report["ok"] else 1


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Options, description=__doc__)))
