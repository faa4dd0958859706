"""Import a dataset as episode logs, which every tool that reads logs reads: LeRobot v3.0 or robomimic HDF5.

    python launch/import.py cubes --out runs/cubes
    python launch/import.py low_dim.hdf5 --out runs/lift --episodes 0 1 2

Exit code: 0 when the logs are there, 1 when the dataset cannot be read, 2 for a bad option, 130 when interrupted.
"""

from dataclasses import dataclass
from pathlib import Path

import tyro
from rich.console import Console
from rich.progress import track
from rich.table import Table
from script import run

from tandem.bridge.contract import UnusableDataset
from tandem.bridge.datasets import import_dataset
from tandem.bridge.log import PicturePolicy


@dataclass(frozen=True)
class Options:
    """What to import."""

    dataset: tyro.conf.Positional[Path]
    """LeRobot's folder, or robomimic's file."""
    out: Path
    """The folder of logs to make; it must not exist."""
    episodes: tuple[int, ...] | None = None
    """Which episodes, counted from 0; without it all."""
    pictures: str = "png"
    """How pictures are kept: png (as decoded), jpeg (a tenth of the size)."""


def main(options: Options) -> int:
    terminal = Console()
    done = import_dataset(
        options.dataset, options.out, episodes=options.episodes, pictures=PicturePolicy(format=options.pictures),
        track=lambda numbers: track(numbers, "episodes", console=terminal, transient=True),
    )
    table = Table(show_header=False, box=None)
    for name, words in {"episodes": done.episodes, "control steps": done.frames, "logs": done.path}.items():
        table.add_row(f"[dim]{name}[/]", str(words))
    terminal.print(table, soft_wrap=True)
    return 0


if __name__ == "__main__":
    run(lambda: main(tyro.cli(Options, description=__doc__)), failures=(UnusableDataset,), orderly=True)
