"""What the loop owes the driver: a stop until it is taken, an answer to every question."""

import time
from dataclasses import asdict

import pytest
import zmq

from tandem.bridge.controller import servo as module
from tandem.bridge.controller.mode import Mode
from tandem.bridge.controller.options import Limits
from tandem.bridge.controller.servo import Order, Servo
from tandem.bridge.controller.traffic import Incoming
from tandem.bridge.drivers.driver import DriverFault
from tandem.bridge.drivers.dummy import DummyDriver
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
    servo = Servo(Order("x", {}, asdict(Limits()), "s", {"ports": {}, "security": "plain"}, "", "", ""), driver)
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


def test_a_question_that_is_lost_on_the_way_is_answered(loop):
    servo, driver = loop
    turn(servo, 3)
    driver.deaf = 1
    say(servo, Port.CONTROL, "ask", question="success", arguments={})
    turn(servo, 2)
    answers = [decode(frames[-1]) for frames in servo._pipe.said if b"refused" in frames[-1]]
    assert [(answer["code"], answer["detail"]) for answer in answers] == [("INVALID", "the line is dead")]
    assert not servo._core._asked
