"""Reads a LeRobotDataset v3.0, whoever wrote it, one episode at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tandem.bridge.contract.errors import InvalidSpec, UnusableDataset
from tandem.bridge.contract.spec import BodySpec
from tandem.bridge.datasets.features import ACTION, EXACT, STATE, SUCCESS, array_of
from tandem.bridge.datasets.lerobot_meta import ORIGINS_FILE
from tandem.bridge.datasets.trajectory import Frame, Trajectory, View
from tandem.bridge.datasets.video import frames_between

VERSION = "v3.0"
_VIDEO, _IMAGE = "video", "image"


class LeRobotReader:
    """One dataset.

    Args:
        folder: the one that holds `meta`, `data` and `videos`.

    Attributes:
        info: the content of info.json.
        fps: frames per second.

    Raises `UnusableDataset` when it is of another version, or a file or column is missing or damaged.
    """

    format = f"LeRobot {VERSION}"

    def __init__(self, folder: Path | str):
        self.folder = Path(folder)
        self.info: dict[str, Any] = self._json("meta/info.json")
        version = self.info.get("codebase_version")
        if version != VERSION:
            raise UnusableDataset(f"{self.folder} is of LeRobot's {version}, read is {VERSION}: LeRobot converts it")
        with self._damage_named("meta/info.json"):
            self.fps, self._features = float(self.info["fps"]), dict(self.info["features"])
            self._data_path, self._video_path = self.info["data_path"], self.info.get("video_path")
        self._episodes = self._episode_table()
        self._tasks = self._task_words()
        self._origins = self._json(ORIGINS_FILE) if (self.folder / ORIGINS_FILE).is_file() else {}

    def __len__(self) -> int:
        return len(self._episodes)

    def episode(self, number: int) -> Trajectory:
        """One of the episodes, counted from 0."""
        with self._damage_named(f"episode {number}"):
            return self._trajectory(number, self._episodes[number])

    def _trajectory(self, number: int, row: dict[str, Any]) -> Trajectory:
        table = self._rows(row)
        state, actions = self._numbers(table, STATE), self._exact(table, ACTION)
        joints = (EXACT + "joint_position", EXACT + "gripper_opening")
        if all(name in table.column_names for name in joints):
            state = np.hstack([self._numbers(table, name) for name in joints])
        measured = {name.removeprefix(EXACT): self._numbers(table, name) for name in table.column_names
                    if name.startswith(EXACT) and name != EXACT + ACTION}
        return Trajectory(
            fps=self.fps, task=self._task_of(row, table), robot=self.info.get("robot_type") or "",
            state_names=self._names(STATE, state.shape[1]), state=state,
            action_names=self._names(ACTION, actions.shape[1]), actions=actions, views=self._views(row, table),
            success=self._success(number, table), source=f"{self.folder.name}, episode {number}", measured=measured,
            spec=self._spec(), origin=self._origin(number),
        )

    def _rows(self, row: dict[str, Any]) -> pa.Table:
        where = {"chunk_index": row["data/chunk_index"], "file_index": row["data/file_index"]}
        name = self._data_path.format(**where, episode_chunk=where["chunk_index"])
        with self._damage_named(name):
            table = pq.read_table(self._file(name), filters=[("episode_index", "=", row["episode_index"])],
                                  page_checksum_verification=True)
        if len(table) != row["length"]:
            raise UnusableDataset(
                f"{self.folder / name} holds {len(table)} rows of episode {row['episode_index']}, its table says "
                f"{row['length']}"
            )
        for column in (STATE, ACTION):
            if column not in table.column_names:
                there = ", ".join(table.column_names)
                raise UnusableDataset(f"{self.folder / name} has no column {column!r}; it has: {there}")
        return table

    def _numbers(self, table: pa.Table, name: str) -> np.ndarray:
        with self._damage_named(f"column {name}"):
            values = array_of(table[name])
            values = values.reshape(len(values), -1).astype(np.float64)
        wanted = int(np.prod(self._features.get(name, {}).get("shape", [values.shape[1]])))
        if values.shape[1] != wanted:
            raise UnusableDataset(f"{self.folder}: {name} has {values.shape[1]} numbers a row, info.json says {wanted}")
        return values

    def _exact(self, table: pa.Table, name: str) -> np.ndarray:
        return self._numbers(table, EXACT + name if EXACT + name in table.column_names else name)

    def _names(self, feature: str, count: int) -> tuple[str, ...]:
        """As the dataset has them, flat or under a heading, else numbered."""
        names = self._features.get(feature, {}).get("names")
        if isinstance(names, dict):
            names = next((listed for listed in names.values() if isinstance(listed, list)), list(names))
        if not names or len(set(names)) != count:
            return tuple(f"{feature.rpartition('.')[2]}_{number}" for number in range(count))
        return tuple(map(str, names))

    def _task_of(self, row: dict[str, Any], table: pa.Table) -> str:
        if "task_index" in table.column_names:
            number = table["task_index"][0].as_py()
            if number not in self._tasks:
                raise UnusableDataset(f"{self.folder}: task {number} is not in meta/tasks.parquet")
            return self._tasks[number]
        return row["tasks"][0] if row.get("tasks") else ""

    def _success(self, number: int, table: pa.Table) -> bool | None:
        origin = self._origin(number)
        if "success" in origin:
            return origin["success"]
        return bool(np.any(array_of(table[SUCCESS]))) if SUCCESS in table.column_names else None

    def _views(self, row: dict[str, Any], table: pa.Table) -> tuple[View, ...]:
        views = []
        for key, feature in self._features.items():
            if feature["dtype"] not in (_VIDEO, _IMAGE) or (feature.get("info") or {}).get("is_depth_map"):
                continue
            height, width = self._size(key, feature)
            frames = self._video(key, row) if feature["dtype"] == _VIDEO else partial(_pictures, table, key)
            camera = key.removeprefix("observation.").removeprefix("images.")
            views.append(View(camera, width, height, frames))
        return tuple(views)

    def _size(self, key: str, feature: dict[str, Any]) -> tuple[int, int]:
        with self._damage_named(f"the feature {key}"):
            first = str((feature.get("names") or [""])[0])
            sizes = list(map(int, feature["shape"]))
            height, width, channels = [*sizes[1:], sizes[0]] if first.startswith("channel") else sizes
        if channels != 3:
            raise UnusableDataset(f"{self.folder}: {key} has shape {feature['shape']}, wanted (height, width, 3)")
        return height, width

    def _video(self, key: str, row: dict[str, Any]) -> partial[Iterator[Frame]]:
        with self._damage_named("meta/episodes"):
            where = {name: row[f"videos/{key}/{name}"] for name in ("chunk_index", "file_index", "from_timestamp")}
            name = self._video_path.format(video_key=key, **where)
        return partial(_filmed, self._file(name), where["from_timestamp"], row["length"], self.fps)

    def _spec(self) -> BodySpec | None:
        if not self._origins.get("spec"):
            return None
        try:
            return BodySpec.from_dict(self._origins["spec"])
        except InvalidSpec as reason:
            raise UnusableDataset(f"{self.folder / ORIGINS_FILE}: {reason}. Remove it to do without") from reason

    def _origin(self, number: int) -> dict[str, Any]:
        listed = self._origins.get("episodes", [])
        return listed[number] if number < len(listed) else {}

    def _episode_table(self) -> list[dict[str, Any]]:
        files = sorted((self.folder / "meta/episodes").rglob("*.parquet"))
        if not files:
            raise UnusableDataset(f"{self.folder} has no meta/episodes/*.parquet")
        rows = []
        for file in files:
            with self._damage_named(str(file.relative_to(self.folder))):
                wanted = [name for name in pq.read_schema(file).names if not name.startswith("stats/")]
                rows += pq.read_table(file, columns=wanted).to_pylist()
        needed = ("episode_index", "length", "data/chunk_index", "data/file_index")
        for name in needed:
            if rows and name not in rows[0]:
                raise UnusableDataset(f"{self.folder}: the episodes lack the column {name!r}")
        return sorted(rows, key=lambda row: row["episode_index"])

    def _task_words(self) -> dict[int, str]:
        with self._damage_named("meta/tasks.parquet"):
            table = pq.read_table(self._file("meta/tasks.parquet")).to_pydict()
            words = table["task"] if "task" in table else table["__index_level_0__"]
            return dict(zip(table["task_index"], words, strict=True))

    def _json(self, name: str) -> dict[str, Any]:
        with self._damage_named(name):
            content = json.loads(self._file(name).read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise UnusableDataset(f"{self.folder / name} holds no JSON object")
        return content

    def _file(self, name: str) -> Path:
        path = self.folder / name
        if not path.is_file():
            raise UnusableDataset(f"{path} is missing")
        return path

    @contextmanager
    def _damage_named(self, what: str) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as reason:
            raise UnusableDataset(f"{self.folder}: {what} cannot be read: {reason}") from reason


def _filmed(path: Path, start_s: float, count: int, fps: float) -> Iterator[Frame]:
    return (Frame(image) for image in frames_between(path, start_s, count, fps))


def _pictures(table: pa.Table, key: str) -> Iterator[Frame]:
    for cell in table[key]:
        image = cv2.imdecode(np.frombuffer(cell["bytes"].as_py() or b"", np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            raise UnusableDataset(f"a picture of {key} cannot be decoded")
        yield Frame(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
