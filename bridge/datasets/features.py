"""The columns of a LeRobot dataset: their types, and the rows of a trajectory in them.

`observation.state` and `action` are float32, as policies read them. The same numbers in float64, and what else was
measured, stand beside them under `tandem.*`: LeRobot loads and ignores those, and an import gives back every bit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from tandem.bridge.datasets.trajectory import Trajectory, View
from tandem.bridge.datasets.video import PIXELS

STATE, ACTION, TASK_INDEX = "observation.state", "action", "task_index"
REWARD, SUCCESS, DONE = "next.reward", "next.success", "next.done"
EXACT = "tandem."
_BOOKKEEPING = {"timestamp": "float32", "frame_index": "int64", "episode_index": "int64", "index": "int64",
                TASK_INDEX: "int64"}


@dataclass(frozen=True)
class Place:
    """Where an episode stands in a dataset: its number, its first row counted over all, its task's number."""

    episode: int
    first_row: int
    task: int


def camera_key(camera: str) -> str:
    """Feature name of a camera's video."""
    return f"observation.images.{camera}"


def features_of(trajectory: Trajectory, fps: int, codec: str) -> dict[str, dict[str, Any]]:
    """The table `features` of info.json."""
    numbers = {
        STATE: _feature("float32", len(trajectory.state_names), list(trajectory.state_names)),
        ACTION: _feature("float32", len(trajectory.action_names), list(trajectory.action_names)),
    }
    videos = {camera_key(view.camera): _video(view, fps, codec) for view in trajectory.views}
    outcome = {REWARD: _feature("float32", 1), SUCCESS: _feature("bool", 1), DONE: _feature("bool", 1)}
    exact = {EXACT + "action": _feature("float64", len(trajectory.action_names), list(trajectory.action_names))}
    exact |= {EXACT + name: _feature("float64", rows.shape[1]) for name, rows in trajectory.measured.items()}
    return numbers | videos | outcome | exact | {name: _feature(dtype, 1) for name, dtype in _BOOKKEEPING.items()}


def rows_of(trajectory: Trajectory, place: Place, fps: int) -> pa.Table:
    """The rows of an episode in the order of `features_of`, videos left out."""
    count = len(trajectory)
    last = np.arange(count) == count - 1
    good = last & bool(trajectory.success)
    frame = np.arange(count)
    columns = {
        STATE: trajectory.state.astype(np.float32), ACTION: trajectory.actions.astype(np.float32),
        REWARD: good.astype(np.float32), SUCCESS: good, DONE: last, EXACT + "action": trajectory.actions,
        **{EXACT + name: rows for name, rows in trajectory.measured.items()},
        "timestamp": (frame / fps).astype(np.float32), "frame_index": frame,
        "episode_index": np.full(count, place.episode), "index": frame + place.first_row,
        TASK_INDEX: np.full(count, place.task),
    }
    return pa.table({name: _column(values) for name, values in columns.items()})


def numeric(features: Iterable[str], described: dict[str, dict[str, Any]]) -> list[str]:
    """Those of the features that have a column."""
    return [name for name in features if described[name]["dtype"] not in ("video", "image")]


def array_of(column: pa.ChunkedArray) -> np.ndarray:
    """A column as (T,) or (T, n)."""
    if pa.types.is_fixed_size_list(column.type) or pa.types.is_list(column.type):
        flat = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
        return flat.reshape(len(column), -1)
    return column.to_numpy()


def _column(values: np.ndarray) -> pa.Array:
    if values.ndim == 1 or values.shape[1] == 1:
        return pa.array(values.reshape(-1))
    flat = pa.array(np.ascontiguousarray(values).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, values.shape[1])


def _feature(dtype: str, size: int, names: list[str] | None = None) -> dict[str, Any]:
    return {"dtype": dtype, "shape": [size], "names": names}


def _video(view: View, fps: int, codec: str) -> dict[str, Any]:
    info = {
        "video.height": view.height, "video.width": view.width, "video.codec": codec, "video.pix_fmt": PIXELS,
        "video.fps": fps, "video.channels": 3, "has_audio": False, "is_depth_map": False,
    }
    return {
        "dtype": "video", "shape": [view.height, view.width, 3], "names": ["height", "width", "channels"], "info": info,
    }
