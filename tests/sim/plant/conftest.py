"""A simulated arm in real time, with somebody who pulls its pictures."""

import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import zmq

from tandem.bridge.drivers import Setpoint
from tandem.bridge.wire import Message, decode
from tandem.sim.plant import SimDriver

PATIENCE_S = 20.0  # for whatever should take milliseconds: the machine may be busy


class Rig:
    """A connected driver, and its pictures."""

    def __init__(self, folder, **options):
        endpoint = f"ipc://{folder}/media"
        self._context = zmq.Context()
        self._pull = self._context.socket(zmq.PULL)
        self._pull.rcvhwm = 4
        self._pull.bind(endpoint)
        self.driver = SimDriver("pick_place", "panda", **{"media": endpoint, "session": "s-1"} | options)
        self._number = 0

    def ask(self, question: str, **arguments):
        """(value, error) of a question."""
        self._number += 1
        self.driver.ask(self._number, question, arguments)
        answers = self.until(lambda: self.driver.answers())
        assert [number for number, _, _ in answers] == [self._number]
        return answers[0][1:]

    def until(self, wanted: Callable):
        """What a function returns as soon as that is anything."""
        deadline = time.monotonic() + PATIENCE_S
        while not (got := wanted()):
            assert time.monotonic() < deadline, f"not in {PATIENCE_S} s"
            time.sleep(0.001)
        return got

    def lead(self, step: np.ndarray, seconds: float) -> list[float]:
        """Move the setpoint by `step` rad/s from where the arm is. Returns its distance, turn by turn."""
        start, rest = self.driver.read().position, np.zeros(7)
        begun, errors = time.monotonic(), []
        while (t := time.monotonic() - begun) < seconds:
            goal = start + t * step
            self.driver.write(Setpoint(goal, step, rest, 0.5))
            time.sleep(0.002)
            errors.append(float(np.abs(self.driver.read().position - goal).max()))
        return errors

    def frame(self, wait_s: float = PATIENCE_S) -> tuple[bytes, Message, bytes] | None:
        """The next picture, None when none comes."""
        if not self._pull.poll(wait_s * 1000):
            return None
        topic, header, data = self._pull.recv_multipart()
        return topic, decode(header), data

    def close(self):
        self.driver.disconnect()
        self._context.destroy(linger=0)


@pytest.fixture
def make_rig(tmp_path) -> Iterator[Callable[..., Rig]]:
    """`make_rig(**options of SimDriver)`, not connected yet."""
    made = []

    def make(**options) -> Rig:
        made.append(Rig(tmp_path, **options))
        return made[-1]

    yield make
    for rig in made:
        rig.close()


@pytest.fixture(scope="module")
def rig(tmp_path_factory) -> Iterator[Rig]:
    """One that is connected, shared by the tests of a module."""
    rig = Rig(tmp_path_factory.mktemp("plant"))
    rig.driver.connect()
    yield rig
    rig.close()
