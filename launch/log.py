"""Look into episode logs: what ran, what is in them, what is left of them.

    python launch/log.py info runs/<time>/sort-panda-seed3.mcap
    python launch/log.py ls runs
    python launch/log.py cat LOG --topic /event/data --from 2 --to 5
    python launch/log.py recover LOG --out whole.mcap

Exit code: 0 for whole logs, 1 when one is cut off or damaged, 2 when there is nothing to read or a bad option.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from logs.listing import found_logs, table_of
from logs.summary import summary_of
from rich.console import Console
from rich.progress import track

from tandem.bridge.contract import InvalidOption, LogUnreadable, TandemError
from tandem.bridge.log import LogReader
from tandem.bridge.log.rescue import rescue


@dataclass(frozen=True)
class Info:
    """One screen for each log: what ran, how it ended, what it holds, whether it is whole."""

    files: tyro.conf.Positional[tuple[Path, ...]]
    """The logs."""

    def run(self, console: Console) -> int:
        damaged, unreadable = False, []
        for path in _some(self.files):
            try:
                log = LogReader(path)
                console.print(summary_of(log))
                damaged |= bool(log.recovered)
            except LogUnreadable as reason:
                unreadable.append(reason)
        if len(unreadable) == len(self.files):
            raise unreadable[0]
        for reason in unreadable:
            print(f"LogUnreadable: {reason}", file=sys.stderr)
        return int(damaged or bool(unreadable))


@dataclass(frozen=True)
class Ls:
    """A table of the logs in folders, and in the folders below."""

    folders: tyro.conf.Positional[tuple[Path, ...]]
    """Folders, or logs."""

    def run(self, console: Console) -> int:
        paths = found_logs(_some(self.folders))
        table, damaged = table_of(track(paths, "reading", console=Console(stderr=True), transient=True))
        console.print(table)
        return int(damaged)


@dataclass(frozen=True)
class Cat:
    """The messages of a log, one JSON object a line: topic, body time in s, content."""

    file: tyro.conf.Positional[Path]
    """The log."""
    topic: tuple[str, ...] = ()
    """Which topics; without it all."""
    start: Annotated[float | None, tyro.conf.arg(name="from")] = None
    """Body time of the first message, s."""
    to: float | None = None
    """Body time of the last message, s."""
    json: bool = False
    """Only the contents, without topic and time."""

    def run(self, console: Console) -> int:
        log = LogReader(self.file)
        for topic, time_s, content in log.messages(*self.topic, start_s=self.start, end_s=self.to):
            told = content if self.json else {"topic": topic, "time_s": time_s, "message": content}
            sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
        if log.recovered:
            print(log.recovered, file=sys.stderr)
        return int(bool(log.recovered))


@dataclass(frozen=True)
class Recover:
    """Write a whole, indexed file of what is left of a log."""

    file: tyro.conf.Positional[Path]
    """The log, cut off, damaged or in parts."""
    out: Path
    """The new file; it must not exist."""

    def run(self, console: Console) -> int:
        if self.out.exists():
            raise InvalidOption(f"{self.out} exists and is never overwritten; choose another --out")
        words = rescue(self.file, self.out)
        console.print(f"{words}\n{self.out} is whole and indexed", markup=False)
        return 0


def _some(paths: tuple[Path, ...]) -> tuple[Path, ...]:
    if not paths:
        raise LogUnreadable("name a log or a folder of logs, such as runs")
    return paths


Verb = (
    Annotated[Info, tyro.conf.subcommand("info")] | Annotated[Ls, tyro.conf.subcommand("ls")]
    | Annotated[Cat, tyro.conf.subcommand("cat")] | Annotated[Recover, tyro.conf.subcommand("recover")]
)

if __name__ == "__main__":
    try:
        verb = tyro.cli(Verb, description=__doc__, config=(tyro.conf.OmitSubcommandPrefixes,))
        sys.exit(verb.run(Console(highlight=False, width=None if sys.stdout.isatty() else 150)))
    except TandemError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our lines has seen enough
        sys.exit(0)
    except KeyboardInterrupt:
        sys.exit(130)
