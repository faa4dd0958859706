"""Many logs in one table."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from console import mark
from logs.figures import duration_s, size_of, words_of_size
from rich.markup import escape
from rich.table import Table

from tandem.bridge.contract import LogUnreadable
from tandem.bridge.log import LogReader
from tandem.bridge.log.parts import goes_on_from

COLUMNS = ("log", "task", "seed", "instruction", "claimed", "seen", "measured", "s", "size", "damage")


def found_logs(folders: Iterable[Path]) -> list[Path]:
    """The logs in folders and below them, of each in parts the first; a log that is named stays. Raises if none."""
    paths = [path for folder in folders for path in ([folder] if folder.is_file() else sorted(folder.rglob("*.mcap")))]
    paths = [path for path in paths if goes_on_from(path) is None]
    if not paths:
        raise LogUnreadable(f"there are no logs (*.mcap) in {', '.join(map(str, folders))}")
    return paths


def table_of(paths: Iterable[Path]) -> tuple[Table, bool]:
    """A row for each log, and whether any is cut off, damaged or unreadable."""
    table, damaged = Table(box=None, header_style="dim", pad_edge=False), False
    for name in COLUMNS:
        table.add_column(name, no_wrap=name == "log", overflow="fold")
    for path in paths:
        cells, bad = _row(path)
        table.add_row(*cells)
        damaged |= bad
    return table, damaged


def _row(path: Path) -> tuple[list[str], bool]:
    name = escape("/".join(path.parts[-2:]))
    try:
        log = LogReader(path)
    except LogUnreadable as reason:
        return [name, *[""] * (len(COLUMNS) - 2), f"[red]{escape(str(reason))}[/]"], True
    manifest, result = log.manifest, log.result or {}
    marks = [mark(result.get(key)) for key in ("claimed", "seen", "measured")]
    system = manifest.get("system", {})
    damage = "" if log.recovered is None else f"[yellow]{escape(log.recovered)}[/]"
    told = (system.get("task", ""), manifest.get("seed", ""), manifest.get("instruction", ""))
    size = words_of_size(size_of(path))
    return [name, *(escape(str(one)) for one in told), *marks, f"{duration_s(log):.1f}", size, damage], bool(damage)
