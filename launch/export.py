"""Export episode logs as a dataset: LeRobot v3.0 or v2.1 (with GR00T's modality.json), robomimic HDF5, or films.

    python launch/export.py runs --out cubes
    python launch/export.py runs/a.mcap runs/b.mcap --to hdf5 --out cubes.hdf5 --only-successes

LOGS are files, or folders that are searched for *.mcap. Failed episodes are exported, too, with their success flag.
Exit code: 0 when the dataset is there, 1 when the logs cannot become one, 2 for a bad option, 130 when interrupted.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from rich.console import Console
from rich.progress import track
from rich.table import Table
from script import run

from tandem.bridge.contract import InvalidOption, LogUnreadable, UnusableDataset
from tandem.bridge.datasets import Export, export_logs
from tandem.bridge.datasets.log_source import states_at
from tandem.bridge.log import LogReader


@dataclass(frozen=True)
class Options:
    """What to export, and as what."""

    logs: tyro.conf.Positional[tuple[Path, ...]]
    """Logs, or folders of logs."""
    out: Path
    """The folder to make (for hdf5 the file); it must not exist."""
    to: str = "lerobot"
    """Format: lerobot (v3.0), lerobot-v2.1 (for GR00T and openpi), hdf5 (robomimic), mp4 (a film per camera)."""
    only_successes: bool = False
    """Leave out what was not measured as a success."""
    cameras: tuple[str, ...] | None = None
    """Which cameras; without it all that the logs have pictures of."""
    render: bool = False
    """Render every picture anew from the logged states, instead of holding the last that was looked at."""
    codec: str = "h264"
    """Of videos: h264 (every player), av1 (smaller, slower)."""


def main(options: Options) -> int:
    terminal = Console()
    done = export_logs(
        options.logs, options.out, to=options.to, cameras=options.cameras or None, codec=options.codec,
        only_successes=options.only_successes, render=rendered if options.render else None,
        track=lambda logs: track(logs, "episodes", console=terminal, transient=True),
    )
    terminal.print(summary(done))
    terminal.print(f"[dim]dataset[/]  {done.path}", soft_wrap=True)
    return 0


def rendered(log: LogReader, camera: str, times: np.ndarray) -> Iterator[np.ndarray]:
    from tandem.sim.cameras import FAST  # only --render needs MuJoCo
    from tandem.sim.replay import frames, load_model

    if log.manifest.get("model") is None:
        raise InvalidOption(f"{log.path} holds no simulator's states to render: leave --render out")
    model, size = load_model(log.model()[1]), log.spec.camera(camera)
    return frames(model, states_at(log, times), camera, size.width, size.height, FAST)


def summary(done: Export) -> Table:
    table = Table(show_header=False, box=None)
    rows = {
        "episodes": f"{done.episodes}, {done.successes} of them successes", "frames": str(done.frames),
        "left out": f"{done.failed} not successes, {done.empty} without a step", "cut off": f"{done.cut}",
    }
    for channel, age_s in done.worst_s.items():
        held = f", held in {done.held[channel]} of {done.frames} frames" if channel in done.held else ""
        rows[f"staleness of {channel}"] = f"{age_s:.3f} s at worst{held}"
    for name, words in rows.items():
        table.add_row(f"[dim]{name}[/]", words)
    return table


if __name__ == "__main__":
    run(lambda: main(tyro.cli(Options, description=__doc__)), failures=(UnusableDataset, LogUnreadable), orderly=True)
