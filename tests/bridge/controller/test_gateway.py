"""The process in front: while the driver is not there yet, and where it is reached."""

import sys
import threading
import time

import pytest

from tandem.bridge.client import body_at
from tandem.bridge.contract import InvalidOption
from tandem.bridge.controller.gateway import Gateway
from tandem.bridge.controller.ports import Address
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


@pytest.mark.parametrize("port", [-5, 65532, 70_000])
def test_a_port_that_is_none_is_refused(port):
    with pytest.raises(InvalidOption, match="0 for any that are free"):
        Address("127.0.0.1", port)


def test_whom_to_reach_may_be_told_by_an_endpoint():
    with Gateway(Setup(driver="dummy")) as gateway:
        assert gateway.wait_ready()
        thread = threading.Thread(target=gateway.run)
        thread.start()
        body = body_at(gateway.endpoint)
        assert body.spec.robot == "dummy"
        body.close()
        gateway.shut_down()
        thread.join()
