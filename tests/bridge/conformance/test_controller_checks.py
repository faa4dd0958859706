"""The checker on our own controller: every law holds, with keys and without; one that breaks a law is told so."""

import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from tandem.bridge import keys
from tandem.bridge.client import Contact, Link
from tandem.bridge.conformance.controller import check_controller
from tandem.bridge.contract import BodyUnresponsive
from tandem.bridge.roles import Role

LAUNCH = Path(__file__).parents[3] / "launch"
# Loaded by every interpreter that finds it; breaks a law in the servo process alone.
BREAKER = """
import sys, threading, time
def later():
    while "tandem.bridge.controller.core" not in sys.modules or not hasattr(core(), "Controller"):
        time.sleep(0.01)
    {patch}
def core():
    return sys.modules["tandem.bridge.controller.core"]
if sys.argv[:1] == ["-c"]:
    threading.Thread(target=later, daemon=True).start()
"""


@contextmanager
def controller(*options, **environment):
    process = subprocess.Popen(
        [sys.executable, LAUNCH / "controller.py", "--driver", "dummy", "--port", "0", *map(str, options)],
        stdout=subprocess.PIPE, text=True, env=os.environ | environment,
    )
    try:
        yield re.search(r"tcp://\S+?(?=,)", process.stdout.readline())[0]
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    keys.make_pair(folder, keys.CONTROLLER)
    for role in Role:
        keys.allow(folder, str(role), role, keys.make_pair(folder, str(role)).public)
    keys.make_pair(folder, "stranger")
    return folder


def test_our_controller_keeps_every_law_with_keys(folder):
    with controller("--keys", folder) as endpoint:
        contacts = {role: Contact.at(endpoint, keys=folder, key=str(role)) for role in Role}
        findings = list(check_controller(
            contacts[Role.COMMANDER], observer=contacts[Role.OBSERVER], supervisor=contacts[Role.SUPERVISOR]
        ))
    assert not [finding for finding in findings if finding.outcome != "pass"]
    assert len(findings) >= 35


def test_without_leave_to_move_nothing_moves(folder):
    with controller() as endpoint:
        findings = list(check_controller(Contact.at(endpoint), move=False))
    assert {finding.outcome for finding in findings} == {"pass", "skip"}
    assert sum(finding.outcome == "skip" for finding in findings) == 9


def test_a_key_that_is_not_on_the_list_is_told_so(folder):
    with controller("--keys", folder) as endpoint, pytest.raises(BodyUnresponsive, match="does not let this key in"):
        Link(Contact.at(endpoint, keys=folder, key="stranger"), patience_s=5)


def test_without_a_key_nobody_comes_into_a_guarded_controller(folder):
    with controller("--keys", folder) as endpoint, pytest.raises(BodyUnresponsive, match="is guarded: give --keys"):
        Link(Contact.at(endpoint), patience_s=2)


def test_whoever_takes_another_for_the_controller_is_told_so(folder, tmp_path):
    keys.make_pair(tmp_path, keys.CONTROLLER)  # another controller's
    pair = keys.load_pair(folder, "commander")
    with controller("--keys", folder) as endpoint:
        contact = Contact.at(endpoint)
        wrong = Contact(contact.host, contact.port, pair, keys.load_public(tmp_path / "controller.key"))
        with pytest.raises(BodyUnresponsive):
            Link(wrong, patience_s=2)


@pytest.mark.parametrize("patch, law", [
    ("core().check_age = lambda *a, **k: None", {"endless life", "from the future"}),
    pytest.param("core().check_start = lambda *a: None", {"far start"}, marks=pytest.mark.slow),
    pytest.param("core().check_sequence = lambda *a: None", {"a replayed command"}, marks=pytest.mark.slow),
], ids=["age", "start", "sequence"])
def test_a_controller_that_breaks_a_law_fails_that_check(patch, law, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(BREAKER.format(patch=patch))
    with controller(PYTHONPATH=str(tmp_path)) as endpoint:
        findings = list(check_controller(Contact.at(endpoint)))
    assert law <= {finding.name for finding in findings if finding.outcome == "fail"}
