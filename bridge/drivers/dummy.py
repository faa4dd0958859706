"""An arm without physics: it is wherever its last setpoint was. For tests, and as the shortest example of a driver.

Its camera is a thread that sends flat pictures; a real one is a process of its own, as the servo loop shares its
interpreter with nobody.
"""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np

from tandem.bridge.conformance.dummy_body import DEPTH_M, GRIPPER_RATE, dummy_spec
from tandem.bridge.contract.observation import layout
from tandem.bridge.contract.spec import BodySpec
from tandem.bridge.drivers.camera import PictureSender
from tandem.bridge.drivers.driver import DriverFault, Measured, Setpoint

CAMERA_S = 0.04


class DummyDriver:
    """Follows at once. The gripper takes its time.

    Args:
        spec: what it pretends to be; the dummy gantry if left out.
        media: where its camera sends pictures; "" for no pictures.
        session: of the controller.
    """

    extensions: tuple[str, ...] = ()

    def __init__(self, spec: BodySpec | None = None, *, media: str = "", session: str = ""):
        self.spec = dummy_spec() if spec is None else spec
        self.about = {"driver": "dummy", "physics": "none"}
        self._now = Setpoint(self.spec.home, np.zeros(self.spec.dof), np.zeros(self.spec.dof), 1.0)
        self._opening, self._last_ns, self._connected = 1.0, 0, False
        self._media, self._session, self._over = media, session, threading.Event()

    def connect(self) -> None:
        """It is always there."""
        self._connected = True
        if self._media:
            threading.Thread(target=self._take_pictures, name="camera", daemon=True).start()

    def read(self) -> Measured:
        """The last setpoint, reached."""
        if not self._connected:
            raise DriverFault("the dummy is not connected")
        now = time.monotonic_ns()
        step = GRIPPER_RATE * min(1.0, (now - self._last_ns) * 1e-9)
        self._opening += float(np.clip(self._now.opening - self._opening, -step, step))
        self._last_ns = now
        return Measured(self._now.position, self._now.velocity, self._opening, now)

    def write(self, setpoint: Setpoint) -> None:
        """Be there."""
        self._now = setpoint

    def stop(self) -> None:
        """Stand where it is."""
        rest = np.zeros(self.spec.dof)
        self._now = Setpoint(self._now.position, rest, rest, self._now.opening)

    def disconnect(self) -> None:
        """End the camera."""
        self._connected = False
        self._over.set()

    def ask(self, number: int, question: str, arguments: dict[str, Any]) -> None:
        """It offers no extension."""
        raise DriverFault(f"the dummy answers no question {question!r}")

    def answers(self) -> list[tuple[int, Any, str]]:
        """None."""
        return []

    def _take_pictures(self) -> None:
        sender, count = PictureSender(self._media, self._session), 0
        while not self._over.wait(CAMERA_S):
            count += 1
            for key, (shape, dtype) in layout(self.spec).items():
                if "." in key:
                    picture = np.full(shape, count % 200 if key.startswith("image.") else DEPTH_M, dtype)
                    picture[0, 0] = 255 if key.startswith("image.") else DEPTH_M  # a uniform one is a dead camera
                    sender.send(key, picture, time.monotonic_ns())
        sender.close()
