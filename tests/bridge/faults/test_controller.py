"""A real controller and a body behind a bad network: it steps through delays, and stands when it hears nothing."""

import re
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tandem.bridge.client import Contact, Link, RemoteBody
from tandem.bridge.contract import BodyStopped, BodyUnresponsive
from tandem.bridge.faults import FaultProxy, faults_named

LAUNCH = Path(__file__).parents[3] / "launch"


@pytest.fixture(scope="module")
def contact():
    command = [sys.executable, LAUNCH / "controller.py", "--driver", "dummy", "--port", "0"]
    controller = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield Contact.at(re.search(r"tcp://\S+?(?=,)", controller.stdout.readline())[0])
    finally:
        controller.terminate()
        controller.wait(10)


@contextmanager
def behind(contact, faults=""):
    """An observer with a line of its own, and a proxy that a body is reached through."""
    person = Link(contact, name="person")
    with FaultProxy(contact.host, dict(person.welcome["ports"]), faults_named(faults), seed=1) as proxy:
        try:
            yield person, proxy, replace(contact, port=proxy.ports["control"], ports=proxy.ports)
        finally:
            person.close()


def swing(start, k):
    return np.append(start + 0.1 * np.sin(k / 8) * np.array([1, 1, -1]), 1.0)


def test_a_body_steps_through_delay_and_jitter(contact):
    with behind(contact, "delay:ms=5,jitter_ms=5") as (_, proxy, through):
        body = RemoteBody.at(through)
        start = body.reset()[0]["joint_position"]
        for k in range(40):
            observation = body.step(swing(start, k))[0]
        assert np.abs(observation["joint_position"] - start).max() > 1e-3
        counts = proxy.counts
        assert counts["command", "controller"].delayed == 40
        assert counts["state", "client"].delayed > 100
        assert body.link.watcher.gaps == 0
        assert body.link.clock.uncertainty > 2e6, "ns: the delay is in the clock's uncertainty"
        body.close()


def test_a_frozen_network_stops_the_arm_and_nothing_goes_on_when_it_thaws(contact):
    with behind(contact) as (person, proxy, through):
        body = RemoteBody.at(through)
        start = body.reset()[0]["joint_position"]
        for k in range(12):
            body.step(swing(start, k))
        assert person.watcher.newest()["mode"] == "ACTIVE"
        proxy.freeze()
        with pytest.raises((BodyUnresponsive, BodyStopped)):
            for k in range(12, 60):
                body.step(swing(start, k))
        stood = person.watcher.wait(lambda state: state["mode"] in ("HOLDING", "READY", "FAULT"), 4, "standstill")
        time.sleep(0.2)
        proxy.thaw()
        time.sleep(0.3)
        after = person.watcher.newest()
        assert after["mode"] != "ACTIVE"
        np.testing.assert_allclose(after["setpoint"][:3], stood["setpoint"][:3], atol=1e-9)
        body.close()
