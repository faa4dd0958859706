"""The process in front, while the driver is not there yet."""

import sys
import threading
import time

from tandem.bridge.controller.gateway import Gateway
from tandem.bridge.controller.setup import Setup

SLOW = """
import time
from tandem.bridge.drivers.dummy import DummyDriver

class SlowDriver(DummyDriver):
    def connect(self):
        time.sleep(3.0)
        super().connect()
"""


def test_whoever_ends_it_need_not_wait_for_the_driver(tmp_path, monkeypatch):
    (tmp_path / "slow_driver.py").write_text(SLOW)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    with Gateway(Setup(driver="slow_driver:SlowDriver")) as gateway:
        threading.Timer(0.3, gateway.shut_down).start()
        begin = time.monotonic()
        assert gateway.wait_ready() is False
        assert time.monotonic() - begin < 1.5


def test_it_says_when_the_servo_turns():
    with Gateway(Setup(driver="dummy")) as gateway:
        assert gateway.wait_ready() is True
