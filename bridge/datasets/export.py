"""Episode logs into one dataset. The logs are checked before anything is written; the output is whole or not there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from tandem.bridge.contract.errors import UnknownName, UnusableDataset
from tandem.bridge.datasets.draft import drafted
from tandem.bridge.datasets.films import FilmsWriter
from tandem.bridge.datasets.lerobot_v3 import LeRobotV3Writer
from tandem.bridge.datasets.lerobot_v21 import LeRobotV21Writer
from tandem.bridge.datasets.log_source import FrameSource, cameras_of, trajectory_of
from tandem.bridge.datasets.robomimic_writer import RobomimicWriter
from tandem.bridge.datasets.trajectory import Frame, Trajectory, View
from tandem.bridge.datasets.video import check_codec
from tandem.bridge.log import LogReader
from tandem.bridge.log.folder import logs_below


class Writer(Protocol):
    """Makes one dataset: `add` each episode, then `close`."""

    def add(self, trajectory: Trajectory) -> None:
        """Write one episode."""

    def close(self) -> None:
        """Finish every file."""


@dataclass(frozen=True)
class Format:
    """A format: whether it is a folder, and what makes it from the draft's path and a codec."""

    folder: bool
    make: Callable[[Path, str], Writer]


FORMATS = {
    "lerobot": Format(True, lambda path, codec: LeRobotV3Writer(path, codec=codec)),
    "lerobot-v2.1": Format(True, lambda path, codec: LeRobotV21Writer(path, codec=codec)),
    "hdf5": Format(False, lambda path, codec: RobomimicWriter(path)),
    "mp4": Format(True, lambda path, codec: FilmsWriter(path, codec=codec)),
}


@dataclass
class Export:
    """What an export did.

    Attributes:
        path: the dataset.
        episodes: how many it holds.
        frames: rows.
        successes: episodes that were measured as such.
        failed: left out because only successes were asked for.
        empty: left out because they hold no control step.
        cut: logs without an end, exported as far as they go, their success unknown.
        worst_s: by channel, the age of the oldest value on the grid.
        held: by camera, rows that show the picture of another step.
    """

    path: Path
    episodes: int = 0
    frames: int = 0
    successes: int = 0
    failed: int = 0
    empty: int = 0
    cut: int = 0
    worst_s: dict[str, float] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)

    def note(self, channel: str, age_s: float) -> None:
        """Remember an age if it is the worst so far."""
        self.worst_s[channel] = max(self.worst_s.get(channel, 0.0), age_s)

    def count(self, trajectory: Trajectory) -> Trajectory:
        """The same trajectory, whose pictures are looked at as they pass."""
        self.episodes, self.frames = self.episodes + 1, self.frames + len(trajectory)
        self.successes += bool(trajectory.success)
        for channel, age_s in trajectory.ages_s.items():
            self.note(channel, age_s)
        return replace(trajectory, views=tuple(self._watched(view) for view in trajectory.views))

    def _watched(self, view: View) -> View:
        def frames() -> Iterator[Frame]:
            for frame in view.frames():
                self.note(view.camera, frame.age_s)
                self.held[view.camera] = self.held.get(view.camera, 0) + (frame.age_s > 0)
                yield frame

        return replace(view, frames=frames)


def export_logs(
    logs: Iterable[Path], out: Path, *, to: str = "lerobot", cameras: tuple[str, ...] | None = None,
    only_successes: bool = False, codec: str = "h264", render: FrameSource | None = None,
    track: Callable[[Sequence[Path]], Iterable[Path]] = iter,
) -> Export:
    """Write a dataset from logs.

    Args:
        logs: files, and folders that are searched for `*.mcap`; a log is written once, however often and in however
            many parts it is there.
        out: the folder (for `hdf5` the file) to make; it must not exist.
        to: a key of `FORMATS`.
        cameras: which ones, None for all that the logs have pictures of.
        only_successes: leave out what was not measured as a success.
        codec: of videos, a key of `video.CODECS`.
        render: makes the pictures, instead of those that were looked at.
        track: goes through the logs that are written, and shows how far it is.

    Raises `UnusableDataset` when there is nothing to export or the logs do not belong together, `InvalidOption` when
    `out` exists, `UnknownName` for a format or camera, `LogUnreadable`. Nothing is left at `out` then.
    """
    if to not in FORMATS:
        raise UnknownName("format", to, FORMATS)
    check_codec(codec)
    done = Export(Path(out))
    chosen = _chosen(files_of(logs), done, cameras, only_successes, render)
    with drafted(out, folder=FORMATS[to].folder) as draft:
        writer = FORMATS[to].make(draft, codec)
        for path in track(chosen):
            writer.add(done.count(trajectory_of(LogReader(path), cameras, render)))
        writer.close()
    return done


def files_of(logs: Iterable[Path]) -> list[Path]:
    """Every log file, those of a folder as `logs_below` has them; raises `UnusableDataset` when there is none."""
    logs = [Path(path) for path in logs]
    files = [file for path in logs for file in (logs_below(path) if path.is_dir() else [path])]
    if not files:
        raise UnusableDataset(f"no episode logs (*.mcap) in: {', '.join(map(str, logs)) or 'nothing given'}")
    return files


def _chosen(
    files: list[Path], done: Export, cameras: tuple[str, ...] | None, only_successes: bool, render: FrameSource | None
) -> list[Path]:
    """The logs to write, all of one body and with the same cameras; those left out are counted."""
    chosen: list[tuple[LogReader, dict[str, object]]] = []
    told: set[Path] = set()
    for path in files:
        if path.resolve() in told:  # named twice, or a part of one that was met already
            continue
        log = LogReader(path)
        told.update(file.resolve() for file in log.files)
        if _is_empty(log):
            done.empty += 1
        elif only_successes and not (log.result or {}).get("success"):
            done.failed += 1
        else:
            chosen.append((log, _traits(log, cameras, render)))
            done.cut += log.result is None
    if not chosen:
        raise UnusableDataset(
            f"nothing to export: of {len(files)} logs {done.empty} hold no control step, {done.failed} are no successes"
        )
    for log, traits in chosen[1:]:
        _check_same(chosen[0], (log, traits))
    return [log.path for log, _ in chosen]


def _is_empty(log: LogReader) -> bool:
    return "/measured" not in log.channels or "/action" not in log.channels or next(log.steps(), None) is None


def _traits(log: LogReader, cameras: tuple[str, ...] | None, render: FrameSource | None) -> dict[str, object]:
    spec = log.spec
    sizes = {name: (spec.camera(name).width, spec.camera(name).height) for name in cameras or cameras_of(log, render)}
    return {
        "robot": spec.robot, "joints": spec.joint_names, "action": spec.action.names,
        "control steps per second": spec.control_hz, "cameras": sizes,
    }


def _check_same(first: tuple[LogReader, dict[str, object]], other: tuple[LogReader, dict[str, object]]) -> None:
    for name, value in first[1].items():
        if other[1][name] != value:
            remedy = "choose with --cameras" if name == "cameras" else "export them apart"
            raise UnusableDataset(
                f"the logs do not belong together, {remedy}: {name} {_short(value)} in {first[0].path}, "
                f"{_short(other[1][name])} in {other[0].path}"
            )


def _short(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {width}x{height}" for name, (width, height) in value.items()) or "none"
    return ", ".join(value) if isinstance(value, tuple) else str(value)
