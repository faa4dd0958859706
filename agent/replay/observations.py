"""What was observed in a logged episode, row by row: row 0 is the start, row k what step k - 1 led to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Protocol

import numpy as np

from tandem.bridge.contract import LazyObservation, LogUnreadable, Observation, StaleObservation
from tandem.bridge.contract import observation as keys
from tandem.bridge.contract.observation import layout
from tandem.bridge.log import LogReader
from tandem.bridge.log.values import Measurement


class Source(Protocol):
    """Gives logged observations.

    Attributes:
        used: how many pictures came from where.
    """

    used: Counter[str]

    def at(self, row: int) -> Observation:
        """The observation of a row. Its pictures are valid until the next call."""


def measured_of(measurement: Measurement) -> dict[str, np.ndarray]:
    """The arrays of a measurement by observation key."""
    return {
        keys.JOINT_POSITION: measurement.joint_position, keys.JOINT_VELOCITY: measurement.joint_velocity,
        keys.GRIPPER_OPENING: measurement.gripper_opening, keys.TOOL_POSE: measurement.tool_pose,
        keys.TIME: np.array([measurement.time_s]),
    }


class LoggedObservations:
    """From the log alone: what was measured, and the pictures that it kept, the newest that had been taken by then.

    Args:
        reader: the log. Raises `LogUnreadable` when it holds no measurements.

    Attributes:
        used: "logged" for a picture of that very moment, "earlier" for an older one.
    """

    def __init__(self, reader: LogReader):
        self._reader, self.used = reader, Counter[str]()
        self._rows = {measurement.index + 1: measurement for measurement in reader.measurements()}
        self._pictures = [key for key in layout(reader.spec) if "." in key]

    def __len__(self) -> int:
        return len(self._rows)

    def at(self, row: int) -> Observation:
        """See `Source`. Reading a picture of a camera that the log knows nothing of raises `StaleObservation`."""
        if row not in self._rows:
            lost = "; it ends before, or what was measured then is lost"
            raise LogUnreadable(f"{self._reader.path} has no row {row}: it holds {len(self._rows)}{lost}")
        measurement = self._rows[row]
        sources = {key: self._picture(key, measurement.time_s) for key in self._pictures}
        return LazyObservation(measured_of(measurement), sources)

    def _picture(self, key: str, time_s: float) -> Callable[[], np.ndarray]:
        def read() -> np.ndarray:
            found = self._reader.picture_at(key, time_s)
            if found is None:
                raise StaleObservation(f"{self._reader.path.name} holds no {key!r} up to t = {time_s:.2f} s")
            self.used["logged" if abs(found.time_s - time_s) < 1e-6 else "earlier"] += 1
            return found.array

        return read
