"""Run the controller of a capture again, from what it was told, and compare every byte that it says.

    python launch/controller.py --driver sim --capture session.mcap
    python launch/replay_capture.py session.mcap

Exit code 0 when all is the same, 1 at the first difference.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import tyro
from rich.console import Console
from script import run

from tandem.bridge.capture.replay import replay


@dataclass(frozen=True)
class Options:
    """Which capture."""

    file: tyro.conf.Positional[Path]
    """MCAP file that a controller has written."""
    json: Path | None = None
    """Also write the verdict to this file."""


def main(options: Options) -> int:
    console = Console(highlight=False, soft_wrap=True)
    with console.status("running it again"):
        verdict = replay(options.file)
    if verdict.recovered:
        console.print(f"[yellow]the file was cut off: {verdict.recovered}[/]")
    console.print(f"{verdict.ticks} turns, {verdict.messages} messages: " + (
        f"[red]{verdict.difference}[/]" if verdict.difference else "[green]bit for bit the same[/]"))
    if options.json:
        options.json.write_text(json.dumps(asdict(verdict), indent=2) + "\n")
    return 1 if verdict.difference else 0


if __name__ == "__main__":
    run(lambda: main(tyro.cli(Options, description=__doc__)))
