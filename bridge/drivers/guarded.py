"""A driver as the servo loop calls it: whatever goes wrong in one is a fault of the arm's, and never ends the loop.

The loop must be there to stop the arm. What a driver gives is looked at once, here; and how long it takes is told, as a
driver that waits for its arm makes every turn late.
"""

from __future__ import annotations

import math
import time
from numbers import Integral, Real
from typing import Any

import numpy as np

from tandem.bridge.drivers.driver import Driver, DriverFault, Measured, Setpoint

MEMBERS = ("spec", "connect", "read", "write", "stop", "disconnect")  # the rest is for those with extensions


class GuardedDriver:
    """See the module, and `Driver`. Every call raises `DriverFault` and nothing else.

    Args:
        driver: anybody's.
    """

    def __init__(self, driver: Driver):
        self._driver, self.spec = driver, driver.spec
        self.extensions: tuple[str, ...] = tuple(getattr(driver, "extensions", ()))
        self.about: dict[str, Any] = dict(getattr(driver, "about", {}))
        self._busy_ns = self._reads = 0

    def connect(self) -> None:
        """See `Driver`."""
        self._call("connect")

    def read(self) -> Measured:
        """See `Driver`."""
        measured, now = self._timed("read"), time.monotonic_ns()
        self._reads += 1
        if not isinstance(measured, Measured):
            raise DriverFault(f"read gave {type(measured).__name__}, not Measured")
        for name in ("position", "velocity"):
            values = getattr(measured, name)
            if np.shape(values) != (self.spec.dof,) or not np.isfinite(values).all():
                raise DriverFault(f"read gave the {name} {values!r}: {self.spec.dof} finite numbers are wanted")
        if not isinstance(measured.opening, Real) or not math.isfinite(measured.opening):
            raise DriverFault(f"read gave the opening {measured.opening!r}: a number from 0 to 1 is wanted")
        if not isinstance(measured.t, Integral) or measured.t > now:  # one from a clock that is ahead never gets old
            raise DriverFault(f"read gave t = {measured.t!r}, and now is {now}: ns of time.monotonic_ns() are wanted")
        return measured

    def write(self, setpoint: Setpoint) -> None:
        """See `Driver`."""
        self._timed("write", setpoint)

    def stop(self) -> None:
        """See `Driver`."""
        self._call("stop")

    def disconnect(self) -> None:
        """See `Driver`."""
        self._call("disconnect")

    def ask(self, number: int, question: str, arguments: dict[str, Any]) -> None:
        """See `Driver`."""
        self._call("ask", number, question, arguments)

    def answers(self) -> list[tuple[int, Any, str]]:
        """See `Driver`: none without extensions."""
        return self._call("answers") if self.extensions else []

    def busy_us(self) -> float:
        """How long reading and writing took in a turn since this was asked last, on average."""
        busy, self._busy_ns, reads, self._reads = self._busy_ns, 0, self._reads, 0
        return busy / max(reads, 1) / 1000

    def _timed(self, what: str, *given: Any) -> Any:
        begin = time.monotonic_ns()
        try:
            return self._call(what, *given)
        finally:
            self._busy_ns += time.monotonic_ns() - begin

    def _call(self, what: str, *given: Any) -> Any:
        try:
            return getattr(self._driver, what)(*given)
        except DriverFault:
            raise
        except Exception as mistake:
            raise DriverFault(f"{what}: {type(mistake).__name__}: {mistake}") from mistake
