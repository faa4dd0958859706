"""Findings as a person reads them, and as a program does."""

from __future__ import annotations

from machine import Finding
from rich.markup import escape

COLOUR = {"ok": "green", "warn": "yellow", "fail": "red"}


def line(finding: Finding) -> str:
    """For the terminal; the remedy below."""
    colour = COLOUR[finding.status]
    remedy = f"\n     [bold]remedy[/bold]  {escape(finding.remedy)}" if finding.remedy else ""
    return f"[{colour}]{finding.status:4}[/{colour}] {finding.name:10}  {escape(finding.detail)}{remedy}"


def flat(findings: list[Finding]) -> dict[str, str | bool]:
    """One flat object, for JSON."""
    rows: dict[str, str | bool] = {"ok": all(finding.status != "fail" for finding in findings)}
    for finding in findings:
        name = finding.name.replace(" ", "_")
        rows |= {name: finding.status, f"{name}_detail": finding.detail, f"{name}_remedy": finding.remedy}
    return rows
