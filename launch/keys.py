"""Make and manage the keys of a bridge.

    python launch/keys.py init                              # the controller's key, a commander's and a supervisor's
    python launch/keys.py make alice --role observer        # another one, let in as an observer
    python launch/keys.py list
    python launch/keys.py revoke alice

Secrets are written with mode 0600. Copy NAME.key_secret and controller.key (no more) to the computer of NAME.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Table
from script import run

from tandem.bridge import keys
from tandem.bridge.roles import role_named

FOLDER = Path("keys")


@dataclass(frozen=True)
class Init:
    """The controller's key, and keys called commander and supervisor with those roles."""

    folder: Path = FOLDER

    def run(self) -> None:
        keys.make_pair(self.folder, keys.CONTROLLER)
        for name in ("commander", "supervisor"):
            keys.allow(self.folder, name, role_named(name), keys.make_pair(self.folder, name).public)
        List(self.folder).run()


@dataclass(frozen=True)
class Make:
    """A key, let in as a role."""

    name: tyro.conf.Positional[str]
    role: str = "commander"
    """observer, commander or supervisor."""
    folder: Path = FOLDER

    def run(self) -> None:
        keys.allow(self.folder, self.name, role_named(self.role), keys.make_pair(self.folder, self.name).public)
        print(f"{self.name} may come in as {self.role}: {self.folder / self.name}.key_secret")


@dataclass(frozen=True)
class Revoke:
    """Let a key in no more (a running controller must be started again)."""

    name: tyro.conf.Positional[str]
    folder: Path = FOLDER

    def run(self) -> None:
        keys.revoke(self.folder, self.name)
        print(f"{self.name} is let in no more once the controller has been started again")


@dataclass(frozen=True)
class List:
    """Who is let in, and as what."""

    folder: Path = FOLDER

    def run(self) -> None:
        table = Table("name", "role", "public key", title=str(self.folder / keys.ALLOWED))
        for row in keys.load_allowed(self.folder).values():
            table.add_row(row.name, str(row.role), row.public)
        Console().print(table)


Verb = (
    Annotated[Init, tyro.conf.subcommand("init")] | Annotated[Make, tyro.conf.subcommand("make")]
    | Annotated[Revoke, tyro.conf.subcommand("revoke")] | Annotated[List, tyro.conf.subcommand("list")]
)

if __name__ == "__main__":
    run(lambda: tyro.cli(Verb, description=__doc__, config=(tyro.conf.OmitSubcommandPrefixes,)).run())
