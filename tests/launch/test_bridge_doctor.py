"""The doctor at a controller: all is well, or which hop is not, with the remedy."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from bridge_doctor import examine_body

from tandem.bridge import keys
from tandem.bridge.client import Contact, Link
from tandem.bridge.roles import Role

LAUNCH = Path(__file__).parents[2] / "launch"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    keys.make_pair(folder, keys.CONTROLLER)
    for role in Role:
        keys.allow(folder, str(role), role, keys.make_pair(folder, str(role)).public)
    keys.make_pair(folder, "stranger")
    return folder


@pytest.fixture(scope="module")
def endpoint(folder):
    process = subprocess.Popen(
        [sys.executable, LAUNCH / "controller.py", "--driver", "dummy", "--port", "0", "--keys", folder],
        stdout=subprocess.PIPE, text=True,
    )
    yield re.search(r"tcp://\S+?(?=,)", process.stdout.readline())[0]
    process.terminate()
    process.wait()


def findings(*arguments, wiggle=None, agreed=True):
    return {finding.name: finding for finding in examine_body(*arguments, wiggle, lambda question: agreed)}


def test_all_is_well_and_one_joint_moves(endpoint, folder):
    found = findings(endpoint, folder, "commander", wiggle="slide_y")
    assert {"keys", "reach", "hello", "ports", "mode", "clock", "to gateway", "to servo", "states", "realtime", "names",
            "cameras", "wiggle"} == set(found)
    assert not [finding for finding in found.values() if finding.status == "fail"]
    assert found["wiggle"].status == "ok"
    assert "slide_y: told" in found["wiggle"].detail


def test_nothing_moves_unless_a_person_agrees(endpoint, folder):
    assert findings(endpoint, folder, "commander", wiggle="slide_y", agreed=False)["wiggle"].status == "warn"
    assert "slide_x" in findings(endpoint, folder, "commander", wiggle="elbow")["wiggle"].remedy


@pytest.mark.parametrize("key, words", [("stranger", "does not let this key in"), ("nobody", "KeyProblem")])
def test_a_key_that_is_not_let_in_is_told_so(endpoint, folder, key, words):
    found = findings(endpoint, folder, key)
    assert found["hello"].status == "fail"
    assert words in found["hello"].detail


def test_an_observer_is_told_that_it_commands_nothing(endpoint, folder):
    found = findings(endpoint, folder, "observer", wiggle="slide_y")
    assert found["hello"].status == "warn"
    assert found["wiggle"].status == "fail"
    assert "FORBIDDEN" in found["wiggle"].detail


def test_no_key_and_nobody_there_are_told_apart(endpoint):
    assert "--keys" in findings(endpoint, None, "commander")["hello"].detail
    nobody = findings("tcp://127.0.0.1:9", None, "commander")
    assert nobody["reach"].status == "fail"
    assert "launch/controller.py" in nobody["reach"].remedy
    assert "no host" in findings("tcp://no.such.host.invalid:7000", None, "commander")["reach"].detail


def test_a_latched_fault_is_named(endpoint, folder):
    person = Link(Contact.at(endpoint, keys=folder, key="supervisor"), name="person")
    number = person.stop("a drill")
    try:
        found = findings(endpoint, folder, "commander")
        assert found["mode"].status == "fail"
        assert "a drill" in found["mode"].detail
    finally:
        person.clear(number)
        person.close()
