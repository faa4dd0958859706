"""Kill or suspend each process, or cut the network, in a motion: the arm stops in time, and nothing goes on by itself.

Once each as a rule; twenty times each with `-m "slow or not slow"`.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tandem.bridge.capture.replay import replay
from tandem.bridge.client import Contact, Link, RemoteBody
from tandem.bridge.conformance import dummy_spec
from tandem.bridge.contract import BodyStopped, BodyUnresponsive, InvalidAction
from tandem.bridge.controller.options import Limits
from tandem.bridge.faults import FaultProxy
from tandem.bridge.log import LogReader, next_free

HERE = Path(__file__).parent
sys.path.append(str(HERE))
from witness import seen  # noqa: E402 the driver's own file

LAUNCH = HERE.parents[2] / "launch"
SPEC, LIMITS = dummy_spec(), Limits()
BRAKING_S = float(np.max(SPEC.velocity_limit / SPEC.acceleration_limit + 2 * SPEC.acceleration_limit / SPEC.jerk_limit))
BOUND_S = LIMITS.silence_s + BRAKING_S
SLACK_S = 0.1  # of a shared machine
MOVED = 1e-9


class Scene:
    """A controller with a witness, and an agent that moves it."""

    def __init__(self, folder):
        self.path, self.capture, self.log = folder / "witness", folder / "capture.mcap", folder / "agent.mcap"
        environment = os.environ | {"PYTHONPATH": str(HERE)}
        self.gateway = subprocess.Popen(
            [sys.executable, LAUNCH / "controller.py", "--driver", "witness:WitnessDriver", "--port", "0",
             "--driver-options", json.dumps({"path": str(self.path)}), "--capture", self.capture],
            stdout=subprocess.PIPE, text=True, env=environment,
        )
        self.endpoint = re.search(r"tcp://\S+?(?=,)", self.gateway.stdout.readline())[0]
        self.servo = int(Path(f"/proc/{self.gateway.pid}/task/{self.gateway.pid}/children").read_text().split()[0])
        self.agent = None

    def start_agent(self):
        command = [sys.executable, HERE / "wanderer.py", self.endpoint, next_free(self.log.parent, "agent")]
        agent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert agent.stdout.readline() == "moving\n"
        return agent

    def pid(self, who):
        return {"agent": self.agent.pid, "gateway": self.gateway.pid, "servo": self.servo}[who]

    def close(self):
        agent = [] if self.agent is None else [self.agent]
        for pid in (*(process.pid for process in agent), self.gateway.pid, self.servo):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
                os.kill(pid, signal.SIGKILL)
        for process in (*agent, self.gateway):
            process.wait()


@pytest.fixture
def scene(tmp_path):
    scene = Scene(tmp_path)
    try:
        scene.agent = scene.start_agent()
        yield scene
    finally:
        scene.close()


def check_stopped(scene, struck, *, until):
    """From the bound after the strike on, every setpoint that the arm got was the same."""
    times, positions = seen(scene.path)
    before = positions[times < struck][-20:]
    assert np.abs(np.diff(before, axis=0)).max() > 1e-5, "the strike came in the middle of a motion"
    after = positions[(times > struck + (BOUND_S + SLACK_S) * 1e9) & (times < until)]
    assert len(after) == 0 or np.ptp(after, axis=0).max() < MOVED, "still moving after the declared time"


def check_smooth(scene):
    """Whatever happened, no setpoint ever jumped."""
    _, positions = seen(scene.path)
    speed = np.abs(np.diff(positions, axis=0)) / LIMITS.tick_s
    assert np.all(speed <= SPEC.velocity_limit * 1.001), speed.max(axis=0)


def freed(link):
    """The arm stands and nobody holds the lease; a fault is cleared by a person.

    An agent that dies in a motion leaves one, unless the arm had just arrived at the last that it was told.
    """
    state = link.watcher.wait(lambda state: state["mode"] in ("READY", "FAULT"), 3, "an end of the motion")
    if state["fault"]:
        assert link.request("status")["fault"]["code"] == "COMM_LOST"
        link.clear(state["fault"])


def strike(scene, who, how):
    time.sleep(0.3 + 0.2 * np.random.default_rng().random())  # anywhere in the swing
    struck = time.monotonic_ns()
    os.kill(scene.pid(who), how)
    if how == signal.SIGSTOP:
        time.sleep(1.2)
        os.kill(scene.pid(who), signal.SIGCONT)
    time.sleep(1.3)
    check_stopped(scene, struck, until=time.monotonic_ns())
    check_smooth(scene)


def check_readable(scene, who):
    """Both sides kept what happened: the agent its steps, the controller every message, which can be run again."""
    assert sum(1 for _ in LogReader(scene.log).steps()) > 10
    if who == "gateway":
        verdict = replay(scene.capture)
        assert verdict.ticks > 200
        assert verdict.difference == ""


REPEATS = [pytest.param(k, marks=[] if k < 1 else [pytest.mark.slow]) for k in range(20)]


@pytest.mark.parametrize("repeat", REPEATS)
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["kill", "suspend"])
@pytest.mark.parametrize("who", ["agent", "gateway", "servo"])
def test_the_arm_stops_and_nothing_resumes(scene, who, how, repeat):
    strike(scene, who, how)
    if how == signal.SIGKILL:
        check_readable(scene, who)


def test_a_new_agent_negotiates_anew_after_a_person_has_cleared_the_fault(scene):
    strike(scene, "agent", signal.SIGKILL)
    time.sleep(LIMITS.fault_s)
    link = Link(Contact.at(scene.endpoint), name="person")
    freed(link)
    scene.agent = scene.start_agent()
    link.watcher.wait(lambda state: state["mode"] == "ACTIVE", 3, "motion")
    assert link.watcher.newest().lease > 1, "a new lease"
    link.close()
    check_smooth(scene)


def test_the_servo_stops_the_arm_and_leaves_when_the_gateway_is_gone(scene):
    strike(scene, "gateway", signal.SIGKILL)
    end = time.monotonic() + 5
    while Path(f"/proc/{scene.servo}").exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert not Path(f"/proc/{scene.servo}").exists()


def test_an_agent_learns_that_its_controller_is_gone(scene):
    scene.agent.kill()
    scene.agent.wait()
    time.sleep(LIMITS.fault_s + 0.5)
    link = Link(Contact.at(scene.endpoint), name="person")
    freed(link)
    body = RemoteBody(link)
    body.reset()
    os.kill(scene.servo, signal.SIGSTOP)
    with pytest.raises(BodyUnresponsive):
        for _ in range(40):
            body.step(np.append(body.spec.home, 1.0))
    os.kill(scene.servo, signal.SIGCONT)
    body.close()


@pytest.mark.parametrize("repeat", REPEATS)
@pytest.mark.parametrize("how", ["cut", "freeze", "half_open"])
def test_the_network_goes_in_the_middle_of_a_motion(scene, how, repeat):
    """The agent reaches the controller through a proxy; when it comes back, nothing goes on and nothing jumps."""
    scene.agent.kill()
    scene.agent.wait()
    time.sleep(LIMITS.fault_s + 0.3)
    person = Link(Contact.at(scene.endpoint), name="person")
    freed(person)
    with FaultProxy("127.0.0.1", dict(person.welcome["ports"]), ()) as proxy:
        contact = Contact("127.0.0.1", proxy.ports["control"], ports=proxy.ports)
        body = RemoteBody.at(contact, name="distant")
        start = body.reset()[0]["joint_position"]
        struck = 0
        with pytest.raises((BodyStopped, BodyUnresponsive)):
            for k in range(200):
                if k == 12:
                    struck = time.monotonic_ns()
                    getattr(proxy, how)()
                body.step(np.append(start + 0.1 * np.sin(k / 8) * np.array([1, 1, -1]), 1.0))
        time.sleep(1.0)
        proxy.thaw()
        proxy.mend()
        time.sleep(0.5)
        check_stopped(scene, struck, until=time.monotonic_ns())
        check_smooth(scene)
        with pytest.raises((BodyStopped, BodyUnresponsive, InvalidAction)):
            body.step(np.append(body.spec.home, 1.0))
        body.close()
    person.close()
