"""Check everything that an episode needs on this machine, one line each, with the remedy for what is missing.

    python launch/doctor.py [--log-dir FOLDER] [--json FILE]

Exit code 1 when an episode cannot run here.
"""

import json
import sys
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


def main(options: Options) -> int:
    console = Console(highlight=False, soft_wrap=True)
    findings = []
    for finding in examine(options.log_dir):
        console.print(line(finding))
        findings.append(finding)
    report = flat(findings)
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n")
    console.print("An episode can run here." if report["ok"] else "[red]An episode cannot run here yet.[/red]")
    return 0 if report["ok"] else 1


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Options, description=__doc__)))
