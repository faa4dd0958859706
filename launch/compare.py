"""Which system is better, and may that be said yet? Folders of evaluations, matched episode by episode.

    python launch/compare.py runs/base runs/new
    python launch/compare.py runs/a runs/b runs/c --json comparison.json

Tells first why the numbers may differ, then both rates with their intervals, the difference on the same initial states,
and whether the evidence is enough. Exit code: 0 whether it is or not, 2 for folders that cannot be compared.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import tyro
from comparison_tables import Report
from rich.console import Console
from script import run

from tandem.agent.evaluation import results
from tandem.bridge.contract import InvalidOption

MOST = 26  # as many as there are letters


@dataclass(frozen=True)
class Options:
    """What to compare."""

    folders: tyro.conf.Positional[tuple[Path, ...]]
    """Two folders of evaluations or more, each made by launch/evaluate.py --out."""
    json: Path | None = None
    """Also write the figures to this file."""
    other_states: bool = False
    """Also compare episodes that began in different states (another robot or difficulty), paired by seed alone."""


def main(options: Options) -> int:
    folders = [folder.resolve() for folder in options.folders]
    if not 2 <= len(folders) <= MOST:
        raise InvalidOption(f"give 2 to {MOST} folders of evaluations, each once; got {len(folders)}")
    if twice := sorted({str(folder) for folder in folders if folders.count(folder) > 1}):
        raise InvalidOption(f"give each folder once: an evaluation cannot be compared with itself; twice: {twice[0]}")
    report = Report.of([results.load(folder) for folder in options.folders], other_states=options.other_states)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 150)
    for part in report.parts():
        console.print(part)
    if options.json:
        _write(options.json, json.dumps(report.to_dict(), indent=1, allow_nan=False) + "\n")
    return 0


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as reason:
        raise InvalidOption(f"cannot write {path}: {reason.strerror}; choose another --json") from reason


if __name__ == "__main__":
    run(lambda: main(tyro.cli(Options, description=__doc__)))
