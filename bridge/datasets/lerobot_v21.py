"""Writes a LeRobotDataset v2.1, a parquet file and a video for each episode, as GR00T and openpi read it.

`meta/modality.json` is GR00T's: which slices of the state and the action are the arm and the gripper, what the cameras
are called, where the instruction is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from tandem.bridge.datasets.features import (
    ACTION,
    STATE,
    TASK_INDEX,
    Place,
    array_of,
    camera_key,
    features_of,
    numeric,
    rows_of,
)
from tandem.bridge.datasets.lerobot_meta import Tasks, info_of, whole_fps, write_json, write_lines, write_origins
from tandem.bridge.datasets.log_source import GRIPPER
from tandem.bridge.datasets.rolling import CHUNK_FILES
from tandem.bridge.datasets.statistics import PictureStatistics, describe
from tandem.bridge.datasets.trajectory import Trajectory, View
from tandem.bridge.datasets.video import VideoFile, check_codec

PATHS = {
    "data_path": "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
    "video_path": "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
}


class LeRobotV21Writer:
    """Adds episodes to a new dataset.

    Args:
        folder: empty.
        codec: of the videos, a key of `video.CODECS`.

    Raises `UnusableDataset` when an episode cannot be held (fps that are no whole number, odd picture sizes).
    """

    def __init__(self, folder: Path, *, codec: str = "h264"):
        check_codec(codec)
        self._folder, self._codec = folder, codec
        self._tasks, self._rows = Tasks(), 0
        self._episodes: list[dict[str, Any]] = []
        self._statistics: list[dict[str, Any]] = []
        self._origins: list[dict[str, Any]] = []
        self._pictures: dict[str, PictureStatistics] = {}
        self._first: Trajectory | None = None

    def add(self, trajectory: Trajectory) -> None:
        """Write one episode."""
        fps, number = whole_fps(trajectory), len(self._episodes)
        self._first = self._first or trajectory
        table = rows_of(trajectory, Place(number, self._rows, self._tasks.number(trajectory.task)), fps)
        pq.write_table(table, self._path("data_path", number), compression="snappy", write_page_checksum=True)
        found = {name: describe(array_of(table[name])) for name in table.column_names}
        found |= {camera_key(view.camera): self._film(view, number, len(table), fps) for view in trajectory.views}
        self._statistics.append({"episode_index": number, "stats": found})
        self._episodes.append({"episode_index": number, "tasks": [trajectory.task], "length": len(trajectory)})
        self._origins.append(dict(trajectory.origin))
        self._rows += len(trajectory)

    def close(self) -> None:
        """Write what describes the episodes."""
        meta, first, count = self._folder / "meta", self._first, len(self._episodes)
        features = features_of(first, whole_fps(first), self._codec)
        write_lines(meta / "episodes.jsonl", self._episodes)
        write_lines(meta / "episodes_stats.jsonl", self._statistics)
        write_lines(meta / "tasks.jsonl", self._tasks.rows())
        write_json(meta / "modality.json", modality(first))
        write_json(meta / "stats.json", self._all_statistics(features))
        write_origins(self._folder, first.spec, self._origins)
        info = info_of(first, features, count, self._rows, len(self._tasks))
        totals = {"total_videos": count * len(first.views), "total_chunks": (count - 1) // CHUNK_FILES + 1}
        videos = PATHS if first.views else PATHS | {"video_path": None}
        write_json(meta / "info.json", {"codebase_version": "v2.1", **info, **totals, **videos})

    def _path(self, pattern: str, episode: int, key: str = "") -> Path:
        name = PATHS[pattern].format(episode_chunk=episode // CHUNK_FILES, episode_index=episode, video_key=key)
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _film(self, view: View, episode: int, count: int, fps: int) -> dict[str, Any]:
        key, counts = camera_key(view.camera), PictureStatistics()
        film = VideoFile(self._path("video_path", episode, key), view.width, view.height, fps, self._codec)
        for frame in view.checked(count):
            film.add(frame.array)
            counts.add(frame.array)
        film.close()
        self._pictures.setdefault(key, PictureStatistics()).merge(counts)
        return counts.describe()

    def _all_statistics(self, features: dict[str, Any]) -> dict[str, Any]:
        """Of all episodes together, one column in memory at a time."""
        files = [self._path("data_path", number) for number in range(len(self._episodes))]
        found = {key: counts.describe() for key, counts in self._pictures.items()}
        for name in numeric(features, features):
            found[name] = describe(np.concatenate([array_of(pq.read_table(f, columns=[name])[name]) for f in files]))
        return {name: found[name] for name in features}


def modality(trajectory: Trajectory) -> dict[str, Any]:
    """GR00T's description of the columns."""
    cameras = {view.camera: {"original_key": camera_key(view.camera)} for view in trajectory.views}
    return {
        "state": _slices(trajectory.state_names, STATE), "action": _slices(trajectory.action_names, ACTION),
        "video": cameras, "annotation": {"human.task_description": {"original_key": TASK_INDEX}},
    }


def _slices(names: tuple[str, ...], key: str) -> dict[str, Any]:
    size = len(names)
    if names[-1] != GRIPPER or size == 1:
        return {"arm": {"start": 0, "end": size, "original_key": key}}
    return {
        "arm": {"start": 0, "end": size - 1, "original_key": key},
        GRIPPER: {"start": size - 1, "end": size, "original_key": key},
    }
