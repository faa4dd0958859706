"""A dummy arm that writes down every setpoint with its time: what an arm sees, whoever is killed meanwhile."""

import os
import struct
import time
from pathlib import Path

import numpy as np

from tandem.bridge.drivers.driver import Setpoint
from tandem.bridge.drivers.dummy import DummyDriver

ROW = struct.Struct("<q3d")


class WitnessDriver(DummyDriver):
    """Writes (t ns, three joints) to a file that survives its process."""

    def __init__(self, path: str):
        super().__init__()
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, setpoint: Setpoint) -> None:
        os.write(self._file, ROW.pack(time.monotonic_ns(), *setpoint.position))
        super().write(setpoint)


def seen(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Times (T,) in ns and positions (T, 3) so far."""
    data = path.read_bytes()
    rows = [ROW.unpack_from(data, i) for i in range(0, len(data) - len(data) % ROW.size, ROW.size)]
    return np.array([row[0] for row in rows], np.int64), np.array([row[1:] for row in rows])
