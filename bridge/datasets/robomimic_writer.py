"""Writes robomimic's HDF5: `data/demo_k` with states, actions, rewards, dones and a group of observations."""

from __future__ import annotations

import io
import json
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tandem.bridge.datasets.trajectory import SimulatedStates, Trajectory, View

GYM_TYPE = 2  # robomimic's number for an environment of Gymnasium
TEXT_MODELS = (".xml", ".mjcf")
NOT_OBSERVED = ("command",)


class _Disk(io.FileIO):
    """The file under HDF5, which crashes the process at its end once a write has failed: it is told of none.

    Attributes:
        error: the first write that failed; nothing is written from then on.
    """

    error: OSError | None = None

    def write(self, data: bytes) -> int:
        """All of `data`, or nothing once the disk has refused any."""
        rest = memoryview(data).cast("B")
        while rest and self.error is None:
            try:
                rest = rest[super().write(rest):]
            except OSError as reason:
                self.error = reason
        return len(data)

    def truncate(self, size: int | None = None) -> int:
        """Set the size, unless the disk has refused anything."""
        if self.error is None:
            try:
                return super().truncate(size)
            except OSError as reason:
                self.error = reason
        return size or 0

    @contextmanager
    def told(self) -> Iterator[None]:
        """Raises the error at the end, in place of whatever HDF5 has made of it."""
        try:
            yield
        finally:
            if self.error is not None:
                raise self.error


class RobomimicWriter:
    """Adds episodes to a new file. States are the simulator's own, whole; without a simulator they are `state`.

    Args:
        path: the file to make.
    """

    def __init__(self, path: Path):
        self._disk = _Disk(path, "w+")
        self._file = h5py.File(self._disk, "w")
        weakref.finalize(self, self._file.close)  # HDF5 must let go of an abandoned file before the interpreter does
        self._data, self._total = self._file.create_group("data"), 0
        self._good: list[str] = []
        self._count = 0

    def add(self, trajectory: Trajectory) -> None:
        """Write one episode; raises `OSError` when the disk does not take it."""
        with self._disk.told():
            self._add(trajectory)

    def _add(self, trajectory: Trajectory) -> None:
        name = f"demo_{self._count}"
        if self._count == 0:
            self._describe(trajectory)
        group, count = self._data.create_group(name), len(trajectory)
        last = np.arange(count) == count - 1
        group["actions"], group["dones"] = trajectory.actions, last.astype(np.int64)
        group["rewards"] = (last & bool(trajectory.success)).astype(np.float64)
        self._write_states(group, trajectory)
        self._write_observations(group.create_group("obs"), trajectory)
        group.attrs.update({
            "num_samples": count, "instruction": trajectory.task, "source": trajectory.source,
            "origin": json.dumps(dict(trajectory.origin)),
        })
        if trajectory.success is not None:
            group.attrs["success"] = trajectory.success
        if trajectory.success:
            self._good.append(name)
        self._total, self._count = self._total + count, self._count + 1

    def close(self) -> None:
        """Write the total and the filter key of the successes, and close."""
        with self._disk.told():
            self._data.attrs["total"] = self._total
            if self._good:
                self._file["mask/successful"] = np.array(self._good, dtype="S")
            self._file.close()
        self._disk.close()

    def _describe(self, trajectory: Trajectory) -> None:
        simulation = trajectory.simulation
        environment = {
            "env_name": f"tandem {trajectory.robot}".strip(), "type": GYM_TYPE,
            "env_kwargs": {
                "fps": trajectory.fps, "robot": trajectory.robot, "action_names": trajectory.action_names,
                "state_names": trajectory.state_names, "state_layout": dict(simulation.layout) if simulation else {},
            },
        }
        self._data.attrs["env_args"] = json.dumps(environment, indent=4)
        if trajectory.spec is not None:
            self._data.attrs["spec"] = json.dumps(trajectory.spec.to_dict())

    def _write_states(self, group: h5py.Group, trajectory: Trajectory) -> None:
        simulation = trajectory.simulation
        group["states"] = trajectory.state if simulation is None else simulation.states
        if simulation is not None and simulation.model_name:
            _write_model(group, simulation)

    def _write_observations(self, group: h5py.Group, trajectory: Trajectory) -> None:
        group["state"] = trajectory.state
        for name, rows in trajectory.measured.items():
            if name not in NOT_OBSERVED:
                group[name] = rows
        for view in trajectory.views:
            _write_pictures(group, view, len(trajectory))
        for name in set(trajectory.measured) & set(NOT_OBSERVED):
            group.parent[name] = trajectory.measured[name]


def _write_model(group: h5py.Group, simulation: SimulatedStates) -> None:
    """An MJCF text is the attribute that robomimic knows; a compiled model is a data set beside it."""
    if simulation.model_name.endswith(TEXT_MODELS):
        group.attrs["model_file"] = simulation.model.decode()
    else:
        content = np.frombuffer(simulation.model, np.uint8)
        group.create_dataset("model", data=content, compression="gzip", compression_opts=1)
    group.attrs["model_name"] = simulation.model_name


def _write_pictures(group: h5py.Group, view: View, count: int) -> None:
    shape = (view.height, view.width, 3)
    options: dict[str, Any] = {"chunks": (1, *shape), "compression": "gzip", "compression_opts": 1}
    pictures = group.create_dataset(f"{view.camera}_image", (count, *shape), np.uint8, **options)
    for row, frame in enumerate(view.checked(count)):
        pictures[row] = frame.array
