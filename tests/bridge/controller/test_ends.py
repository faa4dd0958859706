"""Stops and ends of a whole controller: every stop is answered to whom it is from, and no driver is just left."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tandem.bridge.client import Contact, Link
from tandem.bridge.controller.gateway import Gateway
from tandem.bridge.controller.setup import Setup

LAUNCH = Path(__file__).parents[3] / "launch"


@pytest.fixture
def gateway():
    with Gateway(Setup(driver="dummy")) as made:
        made.wait_ready()
        thread = threading.Thread(target=made.run)
        thread.start()
        yield made
        made.shut_down()
        thread.join()


def test_a_stop_that_is_answered_late_does_not_put_the_next_answers_out_of_step(gateway):
    links = [Link(Contact.at(gateway.endpoint), name=name) for name in ("a", "b")]
    os.kill(gateway.servo_pid, signal.SIGSTOP)
    threading.Timer(0.5, os.kill, (gateway.servo_pid, signal.SIGCONT)).start()
    try:
        first = links[0].stop("away")
        assert [link.stop("again", 1.0) for link in links * 2] == [first] * 4
    finally:
        for link in links:
            link.close()


@pytest.mark.parametrize("everybody", [False, True], ids=["controller", "group"])
def test_the_arm_is_stopped_and_left_in_order_when_the_controller_is_ended(everybody, tmp_path):
    """A service manager's stop reaches the controller alone, or every process of its group at once."""
    notes = tmp_path / "notes"
    command = [sys.executable, LAUNCH / "controller.py", "--driver", "noting_driver:NotingDriver", "--port", "0",
               "--driver-options", json.dumps({"path": str(notes)})]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True, env=environment)
    assert re.search(r"tcp://\S+", process.stdout.readline())
    (os.killpg if everybody else os.kill)(process.pid, signal.SIGTERM)
    assert process.wait(20) == 0
    assert notes.read_text().split()[-2:] == ["stop", "disconnect"]
