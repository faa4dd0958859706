"""Run the golden traces again and show what is no longer as it was, field by field.

    python launch/goldens.py                  # compare all
    python launch/goldens.py insert           # one of them
    python launch/goldens.py --update         # what happens now is right: make it the trace (or: make goldens)

Exit code: 0 when everything is as it was, 1 when not, 3 when another MuJoCo made the traces, 2 for a bad name.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from replaying.goldens import FOLDER, GOLDENS, Comparison, compare, path_of, record
from replaying.printing import print_findings
from rich.console import Console
from rich.table import Table
from script import run

from tandem.bridge.contract import UnknownName

MOST = 30


@dataclass(frozen=True)
class Options:
    """Which traces."""

    names: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """Names; all when left out."""
    update: bool = False
    """Record them anew instead of comparing."""


def main(options: Options) -> int:
    for name in options.names:
        if name not in GOLDENS:
            raise UnknownName("golden trace", name, GOLDENS)
    console, names = Console(highlight=False), options.names or tuple(GOLDENS)
    with tempfile.TemporaryDirectory() as folder:
        if options.update:
            return update(names, Path(folder), console)
        found = [compare(name, Path(folder)) for name in names]
    for one in found:
        show(one, console)
    if any(one.comparable and not one.ok for one in found):
        console.print("If that is meant: [bold]make goldens[/], and say in the commit why.")
        return 1
    return 0 if all(one.comparable for one in found) else 3


def update(names: tuple[str, ...], folder: Path, console: Console) -> int:
    FOLDER.mkdir(exist_ok=True)
    for name in names:
        record(name, folder / f"{name}.mcap")
        path_of(name).write_bytes((folder / f"{name}.mcap").read_bytes())
        console.print(f"{path_of(name)}  {path_of(name).stat().st_size / 1e3:.0f} kB", soft_wrap=True)
    return 0


def show(one: Comparison, console: Console) -> None:
    if one.ok:
        console.print(f"{one.name:20} [green]{one.course.verdict}[/]")
        return
    console.print(f"[bold]{one.name}[/]")
    print_findings([one.course], console)
    if one.changes:
        table = Table("field", "then", "now")
        for change in one.changes[:MOST]:
            table.add_row(change.path, str(change.then), str(change.now))
        console.print(table)
        if len(one.changes) > MOST:
            console.print(f"and {len(one.changes) - MOST} fields more")


if __name__ == "__main__":
    run(lambda: main(tyro.cli(Options, description=__doc__)))
