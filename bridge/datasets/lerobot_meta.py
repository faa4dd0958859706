"""What LeRobot's formats have in common beside their rows: tasks, the head of info.json, whole frames per second."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tandem.bridge.contract.errors import UnusableDataset
from tandem.bridge.contract.spec import BodySpec
from tandem.bridge.datasets.rolling import CHUNK_FILES
from tandem.bridge.datasets.trajectory import Trajectory

ORIGINS_FILE = "meta/tandem.json"
_TASK_SCHEMA = pa.schema([("task_index", pa.int64()), ("task", pa.string())])
# Which column names the rows: without it LeRobot takes the number for the task's words.
_PANDAS = {
    "index_columns": ["task"],
    "column_indexes": [
        {"name": None, "field_name": None, "pandas_type": "unicode", "numpy_type": "object", "metadata": None}
    ],
    "columns": [
        {"name": "task_index", "field_name": "task_index", "pandas_type": "int64", "numpy_type": "int64",
         "metadata": None},
        {"name": "task", "field_name": "task", "pandas_type": "unicode", "numpy_type": "object", "metadata": None},
    ],
    "attributes": {}, "creator": {"library": "pyarrow", "version": pa.__version__}, "pandas_version": "2.3.0",
}


class Tasks:
    """Numbers the tasks in the order in which they come."""

    def __init__(self):
        self._numbers: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    def number(self, task: str) -> int:
        """The number of a task."""
        return self._numbers.setdefault(task, len(self._numbers))

    def rows(self) -> list[dict[str, Any]]:
        """`task_index` and `task` of each."""
        return [{"task_index": number, "task": task} for task, number in self._numbers.items()]

    def write_parquet(self, path: Path) -> None:
        """As v3.0 has it: a table whose index is the task."""
        schema = _TASK_SCHEMA.with_metadata({"pandas": json.dumps(_PANDAS)})
        pq.write_table(pa.Table.from_pylist(self.rows(), schema=schema), path)


def whole_fps(trajectory: Trajectory) -> int:
    """Frames per second; raises `UnusableDataset` when they are no whole number."""
    if trajectory.fps != int(trajectory.fps):
        raise UnusableDataset(
            f"{trajectory.source} runs at {trajectory.fps:g} steps per second, LeRobot counts in whole numbers: export "
            "it with --to hdf5 or --to mp4"
        )
    return int(trajectory.fps)


def info_of(
    trajectory: Trajectory, features: dict[str, Any], episodes: int, frames: int, tasks: int
) -> dict[str, Any]:
    """The part of info.json that every version has."""
    return {
        "robot_type": trajectory.robot or None, "fps": whole_fps(trajectory), "total_episodes": episodes,
        "total_frames": frames, "total_tasks": tasks, "chunks_size": CHUNK_FILES,
        "splits": {"train": f"0:{episodes}"}, "features": features,
    }


def write_origins(folder: Path, spec: BodySpec | None, origins: list[dict[str, Any]]) -> None:
    """What only Tandem reads back: the body's specification, and where each episode comes from."""
    body = None if spec is None else spec.to_dict()
    write_json(folder / ORIGINS_FILE, {"format": 1, "spec": body, "episodes": origins})


def write_json(path: Path, content: Any) -> None:
    """A JSON file; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=4) + "\n", encoding="utf-8")


def write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    """A file of JSON lines; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
