"""A person who stands by: sees how the arm stands, stops it, clears what was looked at, takes it from an agent."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tandem.bridge import keys
from tandem.bridge.client import Contact, Link
from tandem.bridge.roles import Role
from tandem.bridge.wire import Refusal, Refused

LAUNCH = Path(__file__).parents[2] / "launch"


def supervise(*words):
    return subprocess.run(
        [sys.executable, LAUNCH / "supervise.py", *words], capture_output=True, text=True, stdin=subprocess.DEVNULL
    )


def test_a_stop_is_seen_and_cleared_only_by_its_number(controller):
    with controller() as endpoint:
        assert supervise("status", endpoint).returncode == 0
        assert "clears fault 1" in supervise("stop", endpoint, "--reason", "a hand in the way").stdout
        seen = supervise("status", endpoint)
        assert seen.returncode == 1
        assert "fault 1, STOP_REQUESTED: supervisor (supervisor): a hand in the way" in seen.stdout
        unasked = supervise("clear", endpoint)
        assert unasked.returncode == 2
        assert "look at the arm, then give --fault 1" in unasked.stderr
        another = supervise("clear", endpoint, "--fault", "7")
        assert another.returncode != 0
        assert "NO_SUCH_FAULT" in another.stderr
        assert supervise("status", endpoint).returncode == 1
        assert "fault 1 is cleared" in supervise("clear", endpoint, "--fault", "1").stdout
        assert supervise("status", endpoint).returncode == 0
        assert supervise("clear", endpoint).stdout == "no fault\n"


def test_only_a_supervisor_clears_and_anybody_stops(controller, tmp_path):
    folder = tmp_path / "keys"
    keys.make_pair(folder, keys.CONTROLLER)
    for role in Role:
        keys.allow(folder, str(role), role, keys.make_pair(folder, str(role)).public)
    with controller("--keys", str(folder)) as endpoint:
        assert supervise("stop", endpoint, "--keys", folder, "--key", "observer").returncode == 0
        refused = supervise("clear", endpoint, "--keys", folder, "--key", "commander", "--fault", "1")
        assert refused.returncode != 0
        assert "FORBIDDEN" in refused.stderr
        assert supervise("clear", endpoint, "--keys", folder, "--fault", "1").returncode == 0


def test_what_is_taken_nobody_else_commands_until_it_is_given_back(controller):
    with controller() as endpoint:
        agent = Link(Contact.at(endpoint), name="agent")
        try:
            agent.acquire()
            person = subprocess.Popen(
                [sys.executable, LAUNCH / "supervise.py", "take", endpoint], stdout=subprocess.PIPE, text=True
            )
            assert "agent held it before" in person.stdout.readline()
            with pytest.raises(Refused) as reason:
                agent.acquire()
            assert reason.value.code is Refusal.LEASE_TAKEN
            person.send_signal(signal.SIGINT)
            assert person.wait(20) == 0
            agent.leave(agent.acquire())
        finally:
            agent.close()


def test_a_person_whose_lease_is_gone_is_told(controller):
    with controller() as endpoint:
        other = Link(Contact.at(endpoint), name="another person")
        person = subprocess.Popen(
            [sys.executable, LAUNCH / "supervise.py", "take", endpoint], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert "yours" in person.stdout.readline()
            other.acquire(force=True)
            _, said = person.communicate(timeout=10)
            assert re.fullmatch(r"BodyStopped: the lease is no longer yours: another person holds it.*\n", said)
            assert person.returncode == 1
        finally:
            person.kill()
            other.close()
