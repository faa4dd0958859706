"""Writes a LeRobotDataset v3.0: many episodes share a parquet file and a video, and tables say where each one is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tandem.bridge.datasets.features import Place, array_of, camera_key, features_of, numeric, rows_of
from tandem.bridge.datasets.lerobot_meta import Tasks, info_of, whole_fps, write_json, write_origins
from tandem.bridge.datasets.rolling import RollingTable, RollingVideo
from tandem.bridge.datasets.statistics import PictureStatistics, describe
from tandem.bridge.datasets.trajectory import Trajectory, View
from tandem.bridge.datasets.video import check_codec

DATA_MB, VIDEO_MB = 100, 200
MEGABYTE = 2**20
EPISODES_FILE = "meta/episodes/chunk-000/file-000.parquet"
PATHS = {
    "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
    "video_path": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
}


class LeRobotV3Writer:
    """Adds episodes to a new dataset.

    Args:
        folder: empty.
        codec: of the videos, a key of `video.CODECS`.
        data_mb: a parquet file that has grown beyond it takes no further episode.
        video_mb: likewise for a video.

    Raises `UnusableDataset` when an episode cannot be held (fps that are no whole number, odd picture sizes).
    """

    def __init__(self, folder: Path, *, codec: str = "h264", data_mb: float = DATA_MB, video_mb: float = VIDEO_MB):
        check_codec(codec)
        self._folder, self._codec, self._data_mb, self._video_mb = folder, codec, data_mb, video_mb
        self._data = RollingTable(folder / "data", data_mb * MEGABYTE)
        self._videos: dict[str, RollingVideo] = {}
        self._pictures: dict[str, PictureStatistics] = {}
        self._tasks, self._episodes, self._rows = Tasks(), [], 0
        self._first: Trajectory | None = None
        self._origins: list[dict[str, Any]] = []

    def add(self, trajectory: Trajectory) -> None:
        """Write one episode."""
        fps = whole_fps(trajectory)
        self._first = self._first or trajectory
        place = Place(len(self._episodes), self._rows, self._tasks.number(trajectory.task))
        table = rows_of(trajectory, place, fps)
        spot, count = self._data.add(table), len(trajectory)
        episode = {
            "episode_index": place.episode, "tasks": [trajectory.task], "length": count,
            "data/chunk_index": spot.chunk, "data/file_index": spot.file,
            "dataset_from_index": self._rows, "dataset_to_index": self._rows + count,
        }
        statistics = {name: describe(array_of(table[name])) for name in table.column_names}
        for view in trajectory.views:
            episode |= self._film(view, count, fps, statistics)
        self._rows += count
        self._origins.append(dict(trajectory.origin))
        self._episodes.append(episode | _flat(statistics) | {"meta/episodes/chunk_index": 0,
                                                              "meta/episodes/file_index": 0})

    def close(self) -> None:
        """Finish every file, then write what describes them."""
        self._data.close()
        for video in self._videos.values():
            video.close()
        features = features_of(self._first, whole_fps(self._first), self._codec)
        path = self._folder / EPISODES_FILE
        path.parent.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(self._episodes), path)
        self._tasks.write_parquet(self._folder / "meta/tasks.parquet")
        write_json(self._folder / "meta/stats.json", self._statistics(features))
        write_origins(self._folder, self._first.spec, self._origins)
        info = info_of(self._first, features, len(self._episodes), self._rows, len(self._tasks))
        videos = PATHS if self._first.views else PATHS | {"video_path": None}
        sizes = {"data_files_size_in_mb": self._data_mb, "video_files_size_in_mb": self._video_mb}
        write_json(self._folder / "meta/info.json", {"codebase_version": "v3.0", **info, **sizes, **videos})

    def _film(self, view: View, count: int, fps: int, statistics: dict[str, Any]) -> dict[str, Any]:
        key, counts = camera_key(view.camera), PictureStatistics()
        if key not in self._videos:
            limit = self._video_mb * MEGABYTE
            self._videos[key] = RollingVideo(self._folder / "videos" / key, view, fps, self._codec, limit)
        spot, video = self._videos[key].begin()
        start = video.frames
        for frame in view.checked(count):
            video.add(frame.array)
            counts.add(frame.array)
        statistics[key] = counts.describe()
        self._pictures.setdefault(key, PictureStatistics()).merge(counts)
        where = {"chunk_index": spot.chunk, "file_index": spot.file, "from_timestamp": start / fps,
                 "to_timestamp": video.frames / fps}
        return {f"videos/{key}/{name}": value for name, value in where.items()}

    def _statistics(self, features: dict[str, Any]) -> dict[str, Any]:
        """Of all episodes together, one column in memory at a time."""
        files = sorted((self._folder / "data").rglob("*.parquet"))
        found = {key: counts.describe() for key, counts in self._pictures.items()}
        for name in numeric(features, features):
            parts = [array_of(pq.read_table(file, columns=[name])[name]) for file in files]
            found[name] = describe(np.concatenate(parts))
        return {name: found[name] for name in features}


def _flat(statistics: dict[str, Any]) -> dict[str, Any]:
    return {f"stats/{key}/{name}": values for key, found in statistics.items() for name, values in found.items()}
