"""What driver, plant and eyes share: the newest setpoint, the newest measurement and the newest state, in one memory.

The memory has no name (memfd): it is gone with the last process that holds it, whatever that process died of.
"""

from __future__ import annotations

import mmap
import os
import struct
from dataclasses import dataclass

import numpy as np

from tandem.bridge.drivers.driver import Measured
from tandem.sim.plant.latest import Latest

FAULT_BYTES = 200
STATE_NUMBERS = 8192  # the fullest scene has about 320
_REAL = np.dtype("<f8")
_COMMAND = struct.Struct("<QQ?xxxxxxxd")  # writes, stops, live, opening
_MEASURED = struct.Struct("<qQd")  # t, generation, opening
_STATE = struct.Struct("<qQ")  # t, generation


@dataclass(frozen=True, eq=False)
class Command:
    """What the driver wants.

    Attributes:
        position: (n,) rad.
        opening: of the gripper, 0 to 1.
        writes: counts setpoints; one that stands still means that none come any more.
        stops: counts stops.
        live: a setpoint has come since the last stop.
    """

    position: np.ndarray
    opening: float
    writes: int
    stops: int
    live: bool


@dataclass(frozen=True, eq=False)
class State:
    """A world at an instant.

    Attributes:
        vector: `mjSTATE_INTEGRATION`, float64.
        t: when, ns of the monotonic clock.
        generation: the reset to which it belongs.
    """

    vector: np.ndarray
    t: int
    generation: int


class Exchange:
    """One end of it. Each of the three has one writer: driver, plant and plant. A call takes a few microseconds.

    Args:
        dof: joints of the arm, n.
        memory: descriptor of the memory; made anew if left out.

    Attributes:
        memory: the descriptor, for the next process.
    """

    def __init__(self, dof: int, memory: int | None = None):
        self._dof = dof
        sizes = (
            _COMMAND.size + dof * _REAL.itemsize,
            _MEASURED.size + 2 * dof * _REAL.itemsize + FAULT_BYTES,
            _STATE.size + STATE_NUMBERS * _REAL.itemsize,
        )
        room = sum(Latest.room(size) for size in sizes)
        if memory is None:
            memory = os.memfd_create("tandem-plant")
            os.ftruncate(memory, room)
        self.memory, view, at = memory, memoryview(mmap.mmap(memory, room)), 0
        places = []
        for size in sizes:
            places.append(Latest(view, at, size))
            at += Latest.room(size)
        self._command, self._measured, self._state = places

    def put_command(self, command: Command) -> None:
        """Driver's."""
        head = _COMMAND.pack(command.writes, command.stops, command.live, command.opening)
        self._command.put(head + np.asarray(command.position, _REAL).tobytes())

    def command(self) -> Command | None:
        """The newest, None before the first."""
        value = self._command.get()
        if not value:
            return None
        writes, stops, live, opening = _COMMAND.unpack_from(value)
        return Command(np.frombuffer(value, _REAL, self._dof, _COMMAND.size), opening, writes, stops, live)

    def put_measured(self, measured: Measured) -> None:
        """Plant's. A fault that is too long is cut."""
        fault = measured.fault.encode()[:FAULT_BYTES]
        joints = np.concatenate((measured.position, measured.velocity)).astype(_REAL, copy=False)
        head = _MEASURED.pack(measured.t, measured.generation, measured.opening)
        self._measured.put(head + joints.tobytes() + fault)

    def measured(self) -> Measured | None:
        """The newest, None before the first."""
        value, n = self._measured.get(), self._dof
        if not value:
            return None
        t, generation, opening = _MEASURED.unpack_from(value)
        joints = np.frombuffer(value, _REAL, 2 * n, _MEASURED.size)
        words = value[_MEASURED.size + joints.nbytes :].decode(errors="ignore")  # cut within a letter
        return Measured(joints[:n], joints[n:], opening, t, generation, words)

    def put_state(self, state: State) -> None:
        """Plant's."""
        self._state.put(_STATE.pack(state.t, state.generation) + np.asarray(state.vector, _REAL).tobytes())

    def state(self) -> State | None:
        """The newest, None before the first."""
        value = self._state.get()
        if not value:
            return None
        t, generation = _STATE.unpack_from(value)
        return State(np.frombuffer(value, _REAL, offset=_STATE.size), t, generation)

    def close(self) -> None:
        """Let go of the descriptor; what is mapped goes with the object."""
        if self.memory >= 0:
            os.close(self.memory)
            self.memory = -1
