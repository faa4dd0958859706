"""The driver interface: all that a controller asks of an arm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from tandem.bridge.contract.errors import TandemError
from tandem.bridge.contract.spec import BodySpec


class DriverFault(TandemError):
    """The arm cannot be reached, or reports a fault of its own. The controller stops it and latches a fault."""


@dataclass(frozen=True, eq=False)
class Measured:
    """What the arm measured last.

    Attributes:
        position: (n,) rad.
        velocity: (n,) rad/s.
        opening: of the gripper, 0 closed to 1 open; 0 without one.
        t: when, ns of this computer's monotonic clock. One that does not advance means that the arm is silent.
        generation: counts the times that the arm was put elsewhere (`ask("reset")`): the setpoint starts anew there.
        fault: what the arm itself reports (protective stop, emergency stop, ...), empty when all is well.
    """

    position: np.ndarray
    velocity: np.ndarray
    opening: float
    t: int
    generation: int = 0
    fault: str = ""


@dataclass(frozen=True, eq=False)
class Setpoint:
    """What the arm shall do now: within every limit, one tick after the last one.

    Attributes:
        position: (n,) rad.
        velocity: (n,) rad/s.
        acceleration: (n,) rad/s^2.
        opening: of the gripper, 0 to 1.
    """

    position: np.ndarray
    velocity: np.ndarray
    acceleration: np.ndarray
    opening: float


class Driver(Protocol):
    """An arm. Every call but `connect` returns within half a tick; what takes longer is the driver's to do aside.

    Attributes:
        spec: what it is; known before `connect`. `spec.stop` declares what `stop` does.
        extensions: what it offers besides ("reset", "ask"); empty for most arms.
        about: plain facts for people and logs (model, firmware, serial number).
    """

    spec: BodySpec
    extensions: tuple[str, ...]
    about: dict[str, Any]

    def connect(self) -> None:
        """Reach the arm and make it ready to be driven; it must not move. Raises `DriverFault`."""

    def read(self) -> Measured:
        """The newest measurement. Raises `DriverFault`."""

    def write(self, setpoint: Setpoint) -> None:
        """Send a setpoint. Raises `DriverFault`. When no more come, the arm must stop by itself."""

    def stop(self) -> None:
        """The declared stop behaviour, now; setpoints are not carried out until the next `write`."""

    def disconnect(self) -> None:
        """Leave the arm as `stop` leaves it. Allowed twice, and after a failure."""

    def ask(self, number: int, question: str, arguments: dict[str, Any]) -> None:
        """Begin to answer a question of an extension ("reset", or one of a simulation). Returns at once."""

    def answers(self) -> list[tuple[int, Any, str]]:
        """Answers that have come since: number, value, and why there is none ("" when there is)."""
