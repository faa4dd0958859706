"""What the loop owes the driver: a stop until it is taken, an answer to every question."""

import math
import time
from dataclasses import asdict

import numpy as np
import pytest
import zmq

from tandem.bridge.contract import InvalidOption
from tandem.bridge.controller import servo as module
from tandem.bridge.controller.mode import Mode
from tandem.bridge.controller.options import Limits
from tandem.bridge.controller.servo import Order, Servo, load_driver
from tandem.bridge.controller.traffic import Incoming
from tandem.bridge.drivers.driver import DriverFault, Measured
from tandem.bridge.drivers.dummy import DummyDriver
from tandem.bridge.drivers.guarded import GuardedDriver
from tandem.bridge.roles import Peer, Role
from tandem.bridge.wire import Message, Port, decode, encode

BOSS = Peer("s", Role.SUPERVISOR, "s")


class Stubborn(DummyDriver):
    """Fails to take a stop, and to hand on what it is asked, as often as it is told to."""

    extensions = ("ask",)
    deaf, stops = 0, 0

    def stop(self):
        self.stops += 1
        self._fail()
        super().stop()

    def ask(self, number, question, arguments):
        self._fail()

    def answers(self):
        return []

    def _fail(self):
        if self.deaf:
            self.deaf -= 1
            raise DriverFault("the line is dead")


class Pipe:
    """Nobody at its other end; keeps what is said."""

    def __init__(self):
        self.said = []

    def recv_multipart(self, flags):
        raise zmq.Again

    def send_multipart(self, frames, flags):
        self.said.append(frames)


@pytest.fixture
def loop(monkeypatch):
    monkeypatch.setattr(module, "pair", lambda *given, **how: Pipe())
    driver = Stubborn()
    driver.connect()
    order = Order("x", {}, asdict(Limits()), "s", {"ports": {}, "security": "plain"}, "", "", "")
    servo = Servo(order, GuardedDriver(driver))
    yield servo, driver
    driver.disconnect()


def turn(servo, count=1):
    for _ in range(count):
        servo._turn(time.monotonic_ns())
        time.sleep(0.002)


def say(servo, port, kind, **fields):
    frame = encode(Message(kind, {"id": 1, **fields}, "s", servo._core.situation.epoch, 0, 1, time.monotonic_ns()))
    servo._core.receive(Incoming(port, b"r", BOSS, frame), time.monotonic_ns())


def test_a_stop_that_the_driver_does_not_take_is_asked_of_it_again(loop):
    servo, driver = loop
    turn(servo, 3)
    driver.deaf = 2
    say(servo, Port.STOP, "stop", reason="")
    turn(servo, 8)
    assert servo._core.situation.mode is Mode.FAULT
    assert (driver.stops, driver.deaf) == (3, 0)  # and no more once it was taken


class Five:
    """What the documentation asks of a driver, and nothing else; fails as it is told to."""

    def __init__(self):
        self._inner, self.mistake = DummyDriver(), None
        self.spec, self.stopped = self._inner.spec, 0

    def connect(self):
        self._inner.connect()

    def read(self):
        if isinstance(self.mistake, Exception):
            raise self.mistake
        return self._inner.read() if self.mistake is None else self.mistake()

    def write(self, setpoint):
        self._inner.write(setpoint)

    def stop(self):
        self.stopped += 1

    def disconnect(self):
        self._inner.disconnect()


@pytest.mark.parametrize(("mistake", "words"), [
    (lambda: None, "read gave NoneType"), (OSError("no route to host"), "read: OSError: no route to host"),
    (DriverFault("the encoder is lost"), "the encoder is lost"),
    (lambda: Measured(np.zeros(2), np.zeros(3), 1.0, time.monotonic_ns()), "position"),
    (lambda: Measured(np.full(3, np.nan), np.zeros(3), 1.0, time.monotonic_ns()), "position"),
    (lambda: Measured(np.zeros(3), np.zeros(3), math.nan, time.monotonic_ns()), "opening"),
    (lambda: Measured(np.zeros(3), np.zeros(3), 1.0, time.time_ns()), "time.monotonic_ns()"),
    (lambda: Measured(np.zeros(3), np.zeros(3), 1.0, time.monotonic()), "time.monotonic_ns()"),
], ids=["nothing", "another error", "a fault", "too few joints", "no numbers", "no opening", "wall clock", "seconds"])
def test_whatever_a_driver_does_the_loop_lives_and_the_arm_is_stopped(monkeypatch, mistake, words):
    monkeypatch.setattr(module, "pair", lambda *given, **how: Pipe())
    driver = Five()
    driver.connect()
    order = Order("x", {}, asdict(Limits()), "s", {"ports": {}, "security": "plain"}, "", "", "")
    servo = Servo(order, GuardedDriver(driver))
    turn(servo, 3)
    driver.mistake = mistake
    turn(servo, 2)
    fault = servo._core.situation.fault
    assert fault.code == "DRIVER_FAULT"
    assert words in fault.detail
    assert driver.stopped == 1


def test_before_the_first_measurement_the_reason_is_printed_once(monkeypatch, capsys):
    monkeypatch.setattr(module, "pair", lambda *given, **how: Pipe())
    driver = Five()
    driver.mistake = DriverFault("the encoder is lost")
    order = Order("x", {}, asdict(Limits()), "s", {"ports": {}, "security": "plain"}, "", "", "")
    turn(Servo(order, GuardedDriver(driver)), 3)
    assert capsys.readouterr().err == "no measurement yet: the encoder is lost\n"


def test_a_driver_that_lacks_a_method_is_refused_by_name():
    with pytest.raises(InvalidOption, match="has no write, stop"):
        load_driver(f"{__name__}:Half", {})


class Half:
    spec = None

    def connect(self): ...

    def read(self): ...

    def disconnect(self): ...


def test_a_question_that_is_lost_on_the_way_is_answered(loop):
    servo, driver = loop
    turn(servo, 3)
    driver.deaf = 1
    say(servo, Port.CONTROL, "ask", question="success", arguments={})
    turn(servo, 2)
    answers = [decode(frames[-1]) for frames in servo._pipe.said if b"refused" in frames[-1]]
    assert [(answer["code"], answer["detail"]) for answer in answers] == [("INVALID", "the line is dead")]
    assert not servo._core._asked
