"""Reads robomimic's HDF5, whoever wrote it, one demonstration at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tandem.bridge.contract.errors import InvalidSpec, UnusableDataset
from tandem.bridge.contract.spec import BodySpec
from tandem.bridge.datasets.trajectory import Frame, SimulatedStates, Trajectory, View

DEFAULT_FPS = 20.0  # robosuite's control rate, which robomimic's files seldom say
_MEASURED = ("joint_position", "joint_velocity", "gripper_opening", "tool_pose")
_JOINTS = ("state", "robot0_joint_pos", "joint_position")  # what may stand for a state, best first


class RobomimicReader:
    """One file.

    Args:
        path: `*.hdf5`.

    Attributes:
        fps: control steps per second, as `env_args` says, else robosuite's 20.

    Raises `UnusableDataset` when the file is damaged or lacks a group or column.
    """

    format = "robomimic HDF5"

    def __init__(self, path: Path | str):
        self.path = Path(path)
        with self._opened() as file:
            if "data" not in file or not isinstance(file["data"], h5py.Group):
                raise UnusableDataset(f"{self.path} has no group 'data': it is no robomimic file")
            self._demos = sorted((name for name in file["data"] if name.startswith("demo_")), key=_number)
            self._environment = _plain(file["data"].attrs.get("env_args", "{}"))
            self._spec = _spec(file["data"].attrs.get("spec"))
        self._settings = dict(self._environment.get("env_kwargs") or {})
        self.fps = float(self._settings.get("fps") or self._settings.get("control_freq") or DEFAULT_FPS)

    def __len__(self) -> int:
        return len(self._demos)

    def episode(self, number: int) -> Trajectory:
        """One of the demonstrations, counted from 0."""
        name = self._demos[number]
        with self._opened() as file:
            demo = file["data"][name]
            for column in ("actions", "obs"):
                if column not in demo:
                    raise UnusableDataset(f"{self.path}: {name} has no {column!r}; it has: {', '.join(demo)}")
            actions, observations = _rows(demo["actions"]), demo["obs"]
            state = self._state(demo)
            measured = {key: _rows(observations[key]) for key in _MEASURED if key in observations}
            if "command" in demo:
                measured["command"] = _rows(demo["command"])
            return Trajectory(
                fps=self.fps, task=self._task(demo), robot=self._robot(),
                state_names=self._names("state", state.shape[1]), state=state,
                action_names=self._names("action", actions.shape[1]), actions=actions,
                views=self._views(name, observations), success=self._success(demo), source=f"{self.path.name}, {name}",
                measured=measured, spec=self._spec, simulation=self._simulation(demo),
                origin=_plain(demo.attrs.get("origin", "{}")),
            )

    def _state(self, demo: h5py.Group) -> np.ndarray:
        for name in _JOINTS:
            if name in demo["obs"]:
                return _rows(demo["obs"][name])
        low = [name for name, column in demo["obs"].items() if column.ndim < 3]
        raise UnusableDataset(
            f"{self.path}: {demo.name} observes no joints; wanted one of {', '.join(_JOINTS)}, it has: "
            f"{', '.join(low) or 'none'}"
        )

    def _task(self, demo: h5py.Group) -> str:
        return str(demo.attrs.get("instruction") or self._environment.get("env_name") or "")

    def _robot(self) -> str:
        if self._spec is not None:
            return self._spec.robot
        robots = self._settings.get("robot") or self._settings.get("robots") or ""
        return robots if isinstance(robots, str) else ", ".join(map(str, robots))

    def _names(self, kind: str, count: int) -> tuple[str, ...]:
        names = tuple(self._settings.get(f"{kind}_names") or ())
        return names if len(names) == count else tuple(f"{kind}_{number}" for number in range(count))

    def _views(self, demo: str, observations: h5py.Group) -> tuple[View, ...]:
        views = []
        for name, column in observations.items():
            if column.ndim == 4 and column.shape[3] == 3 and column.dtype == np.uint8:
                _, height, width, _ = column.shape
                views.append(View(name.removesuffix("_image"), width, height, partial(self._frames, demo, name)))
        return tuple(views)

    def _frames(self, demo: str, column: str) -> Iterator[Frame]:
        with self._opened() as file:
            pictures = file["data"][demo]["obs"][column]
            for row in range(len(pictures)):
                yield Frame(pictures[row])

    def _simulation(self, demo: h5py.Group) -> SimulatedStates | None:
        """Only Tandem's own: robosuite's models name files of the machine that made them, and its states lack parts."""
        layout = self._settings.get("state_layout")
        if not layout or "states" not in demo:
            return None
        if not ("model_file" in demo.attrs or "model" in demo):
            return SimulatedStates(_rows(demo["states"]), layout)
        text = demo.attrs.get("model_file")
        model = bytes(demo["model"][:]) if text is None else str(text).encode()
        default = "model.mjb" if text is None else "model.xml"
        return SimulatedStates(_rows(demo["states"]), layout, str(demo.attrs.get("model_name", default)), model)

    def _success(self, demo: h5py.Group) -> bool | None:
        """As it says, else whether a reward was ever given, as robomimic's tasks give one only then.

        Unless they are told to shape it: then there is some on the way, too, and nobody knows.
        """
        if "success" in demo.attrs:
            return bool(demo.attrs["success"])
        if "origin" in demo.attrs or "rewards" not in demo or self._settings.get("reward_shaping"):
            return None
        return bool(np.any(demo["rewards"][:] > 0))

    @contextmanager
    def _opened(self) -> Iterator[h5py.File]:
        if not self.path.is_file():
            raise UnusableDataset(f"{self.path} is missing")
        try:
            with h5py.File(self.path, "r") as file:
                yield file
        except (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError) as reason:
            raise UnusableDataset(f"{self.path} cannot be read: {reason}") from reason


def _number(name: str) -> tuple[int, str]:
    number = name.removeprefix("demo_")
    return (int(number) if number.isdecimal() else -1), name


def _rows(column: h5py.Dataset) -> np.ndarray:
    """As float64 (T, m)."""
    values = np.asarray(column[:], np.float64)
    return values.reshape(len(values), -1)


def _plain(text: Any) -> dict[str, Any]:
    content = json.loads(text)
    if not isinstance(content, dict):
        raise ValueError(f"no JSON object: {text!r}")
    return content


def _spec(text: str | None) -> BodySpec | None:
    if text is None:
        return None
    try:
        return BodySpec.from_dict(json.loads(text))
    except InvalidSpec as reason:
        raise ValueError(f"attribute spec: {reason}") from reason
