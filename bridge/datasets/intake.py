"""A dataset into episode logs, one for each episode, in a folder that is there whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tandem.bridge.contract.errors import UnusableDataset
from tandem.bridge.datasets.draft import drafted
from tandem.bridge.datasets.lerobot_reader import LeRobotReader
from tandem.bridge.datasets.recording import ALL_PICTURES, record
from tandem.bridge.datasets.robomimic_reader import RobomimicReader
from tandem.bridge.datasets.trajectory import Trajectory
from tandem.bridge.log import PicturePolicy


class Reader(Protocol):
    """Gives the episodes of a dataset.

    Attributes:
        format: what it is called.
    """

    format: str

    def __len__(self) -> int:
        """How many there are."""

    def episode(self, number: int) -> Trajectory:
        """One of them, counted from 0."""


@dataclass
class Import:
    """What an import did: the folder of the logs, how many, and their control steps."""

    path: Path
    episodes: int = 0
    frames: int = 0


def open_dataset(path: Path | str) -> Reader:
    """The reader of a dataset: a folder is LeRobot's, a file robomimic's. Raises `UnusableDataset`."""
    path = Path(path)
    if path.is_dir():
        return LeRobotReader(path)
    if path.is_file():
        return RobomimicReader(path)
    raise UnusableDataset(f"there is no dataset {path}: name a folder (LeRobot v3.0) or a file (robomimic HDF5)")


def import_dataset(
    dataset: Path, out: Path, *, episodes: Sequence[int] | None = None, pictures: PicturePolicy = ALL_PICTURES,
    track: Callable[[Sequence[int]], Iterable[int]] = iter,
) -> Import:
    """Write a log `episode-000000.mcap`, ... for each episode.

    Args:
        dataset: LeRobot's folder or robomimic's file.
        out: the folder to make; it must not exist.
        episodes: which ones, None for all.
        pictures: how they are kept.
        track: goes through the numbers, and shows how far it is.

    Raises `UnusableDataset`, `InvalidOption` when `out` exists, `LogUnwritable`. Nothing is left at `out` then.
    """
    reader, done = open_dataset(dataset), Import(Path(out))
    wanted = list(range(len(reader)) if episodes is None else episodes)
    absent = [number for number in wanted if not 0 <= number < len(reader)]
    if absent or not wanted:
        asked = f"asked for {absent}" if absent else "none was asked for"
        raise UnusableDataset(f"{dataset} holds {len(reader)} episodes, counted from 0; {asked}")
    with drafted(out, folder=True) as draft:
        for number in track(wanted):
            trajectory = reader.episode(number)
            origin = {"dataset": Path(dataset).name, "format": reader.format, "episode": number}
            record(trajectory, draft / f"episode-{number:06d}.mcap", origin, pictures)
            done.episodes, done.frames = done.episodes + 1, done.frames + len(trajectory)
    return done
