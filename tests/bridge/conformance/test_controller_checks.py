"""The checker on our own controller: every law holds, with keys and without; one that breaks a law is told so."""

import ast
import os
import re
import subprocess
import sys
import textwrap
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from tandem.bridge import keys
from tandem.bridge.client import Contact, Link
from tandem.bridge.conformance import controller as checker
from tandem.bridge.conformance.controller import check_controller, commands, greeting, leases, motion, stopping
from tandem.bridge.conformance.controller.check import CHECKS, name_of
from tandem.bridge.contract import BodyUnresponsive, UnknownName
from tandem.bridge.contract.errors import BodyStopped
from tandem.bridge.controller.mode import FaultCode, Mode
from tandem.bridge.controller.options import Limits
from tandem.bridge.roles import Role

LAUNCH = Path(__file__).parents[3] / "launch"
# Loaded by every interpreter that finds it; breaks a law in the servo process alone.
BREAKER = """
import dataclasses, sys, threading, time
def later():
    while "tandem.bridge.controller.core" not in sys.modules or not hasattr(core(), "Controller"):
        time.sleep(0.001)
{patch}
def core():
    return sys.modules["tandem.bridge.controller.core"]
if sys.argv[:1] == ["-c"]:
    threading.Thread(target=later, daemon=True).start()
"""
ANY_AGE = "core().check_age = lambda *a, **k: None"
ANY_EPOCH = """
class Any(int):
    __eq__, __ne__, __hash__ = (lambda *_: True), (lambda *_: False), int.__hash__
admit = core().admit
core().admit = lambda *a: dataclasses.replace(admit(*a), epoch=Any())
"""
ENDLESS = """
Chunk = core().Chunk
core().Chunk = lambda number, t0, dt, expires, rows: Chunk(number, t0, dt, expires + 10**12, rows)
"""
ANY_TOKEN = """
Leases = sys.modules["tandem.bridge.controller.lease"].Leases
check = Leases.check
Leases.check = lambda self, peer, token: self.holder or check(self, peer, token)
"""
ANY_ORDER = """
ordered = core().ordered
core().ordered = lambda q, names, layout: (ordered(q, names, layout), q.reshape(-1, len(layout)))[1]
"""
NO_SILENCE = """
def watch(self, now):
    if self.leases.expired(now):
        self._end_lease("expired")
core().Controller._watch_lease = watch
"""
ANY_HOLDER = """
Leases = sys.modules["tandem.bridge.controller.lease"].Leases
check = Leases.check
Leases.check = lambda self, peer, token: check(self, self.holder.peer if self.holder else peer, token)
"""
FOR_EVER = """
sys.modules["tandem.bridge.controller.lease"].Leases.expired = lambda self, now: False
"""
NO_LINE = """
sys.modules["tandem.bridge.controller.lease"].Leases.next_in_line = lambda self, now: None
"""
TAKEN_BY_ANYBODY = """
Leases, roles = sys.modules["tandem.bridge.controller.lease"].Leases, sys.modules["tandem.bridge.roles"]
acquire = Leases.acquire
def anybody(self, peer, name, now, *, force=False):
    self.holder = None if force else self.holder
    return acquire(self, peer, name, now)
Leases.acquire = anybody
"""
EPOCHS_AHEAD = """
class Ahead(int):
    __ne__, __hash__ = int.__lt__, int.__hash__
admit = core().admit
core().admit = lambda *a: (lambda m: dataclasses.replace(m, epoch=Ahead(m.epoch)))(admit(*a))
"""
ONLY_THE_SAME = """
check = core().check_sequence
core().check_sequence = lambda seq, last: check(seq, last) if seq == last else None
"""
ANY_SESSION = """
admission, admit = sys.modules["tandem.bridge.controller.admission"], core().admit
admission._WITHOUT_SESSION = admission._WITHOUT_SESSION | {"status", "acquire"}
"""
UNKNOWN_FIELDS = """
import msgpack
codec = sys.modules["tandem.bridge.wire.codec"]
unpack = codec._unpack
codec._unpack = lambda frame: (lambda plain: plain.pop("unknown", None) and plain or plain)(unpack(frame))
"""
GOES_ON = """
halt = core().Controller._halt
core().Controller._halt = lambda self, stage, *rest: stage == "lease" or halt(self, stage, *rest)
"""
NO_JERK_LIMIT = """
import numpy
shaping = sys.modules["tandem.bridge.safety.shaping"]
init = shaping.Shaper.__init__
def careless(self, spec, *rest, **more):
    init(self, dataclasses.replace(spec, jerk_limit=spec.jerk_limit * 1000), *rest, **more)
shaping.Shaper.__init__ = careless
"""
SAME_EPOCH = """
reset = core().Controller._reset
def same(self, incoming, message):
    epoch = self.situation.epoch
    reset(self, incoming, message)
    self.situation.epoch = epoch
core().Controller._reset = same
"""
WIDE_GUARD = """
check_start = core().check_start
core().check_start = lambda row, here, ahead, spec, guard: check_start(row, here, ahead, spec, 2.5 * guard)
"""
WAITS_FOR_STANDSTILL = """
Situation = sys.modules["tandem.bridge.controller.situation"].Situation
refuse = Situation.refuse_motion
def wait(self):
    refuse(self)
    if self.mode == "STOPPING":
        raise core().Refused(core().Refusal.NOT_READY, "first it has to stand")
Situation.refuse_motion = wait
"""
LOST = """
Outbox = sys.modules["tandem.bridge.controller.outbox"].Outbox
send = Outbox.send
def lose(self, port, route, kind, now, **rest):
    send(self, port, route, kind, now, **rest)
    if kind == "state" and self._seq[port] % 400 == 0:
        self._waiting.pop()
Outbox.send = lose
"""


def names(*groups):
    return {name_of(check) for group in groups for check in group.CHECKS}


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


@contextmanager
def looking(contact):
    link = Link(contact, name="test")
    try:
        link.watcher.wait(lambda state: True, 2.0, "a state")
        yield link
    finally:
        link.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    keys.make_pair(folder, keys.CONTROLLER)
    for role in Role:
        keys.allow(folder, str(role), role, keys.make_pair(folder, str(role)).public)
    keys.make_pair(folder, "stranger")
    return folder


def test_our_controller_keeps_every_law_with_keys_and_is_left_as_it_was(folder):
    with controller("--keys", folder) as endpoint:
        contacts = {role: Contact.at(endpoint, keys=folder, key=str(role)) for role in Role}
        with looking(contacts[Role.OBSERVER]) as link:
            before = link.watcher.newest()["setpoint"]
            findings = list(check_controller(
                contacts[Role.COMMANDER], observer=contacts[Role.OBSERVER], supervisor=contacts[Role.SUPERVISOR]
            ))
            status, after = link.request("status"), link.watcher.newest()["setpoint"]
    assert not [finding for finding in findings if finding.outcome != "pass"]
    assert [finding.name for finding in findings] == [name_of(check) for check in CHECKS]
    assert (status["mode"], status["fault"], status["holder"]) == ("READY", {}, "")
    assert np.allclose(before, after, atol=1e-9)


def test_without_leave_to_move_nothing_moves():
    with controller() as endpoint:
        findings = list(check_controller(Contact.at(endpoint), move=False))
    assert {finding.outcome for finding in findings} == {"pass", "skip"}
    skipped = {finding.name: finding.evidence for finding in findings if finding.outcome == "skip"}
    assert skipped.pop("observers command nothing") == "no observer's key was given (--observer-key)"
    assert skipped.pop("only supervisors take over") == "the key that commands here is a supervisor's"
    assert set(skipped) == (names(motion, stopping) | {"far start"}) - {"late actions", "a latched fault"}
    assert set(skipped.values()) == {"the arm may not be moved (--no-move)"}


def test_a_commander_alone_latches_no_fault_that_it_cannot_clear(folder):
    with controller("--keys", folder) as endpoint:
        commander = Contact.at(endpoint, keys=folder, key="commander")
        findings = list(check_controller(commander, only=names(stopping) | {"take over"}))
        with looking(commander) as link:
            assert link.request("status")["mode"] == "READY"
    assert {finding.outcome for finding in findings} == {"skip"}
    assert all("--supervisor-key" in finding.evidence for finding in findings)


def test_a_stop_of_somebody_else_is_never_cleared():
    with controller() as endpoint, looking(Contact.at(endpoint)) as person:
        findings = check_controller(Contact.at(endpoint), only={"versions", "hello", "units", "nan"})
        assert next(findings).outcome == "pass"
        person.stop("I do not like what I see")
        failed, *rest = findings
        assert failed.outcome == "fail"
        assert "I do not like what I see" in failed.evidence
        assert {finding.outcome for finding in rest} == {"skip"}
        with pytest.raises(BodyStopped, match=r"fault 1, STOP_REQUESTED, is latched; nothing was checked"):
            next(check_controller(Contact.at(endpoint)))
        assert person.request("status")["fault"]["number"] == 1


def test_a_controller_that_somebody_commands_is_left_alone():
    with controller() as endpoint, looking(Contact.at(endpoint)) as person:
        grant = person.acquire()
        with pytest.raises(BodyStopped, match="test holds the lease"):
            next(check_controller(Contact.at(endpoint)))
        assert person.watcher.newest().lease == grant.token


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


def broken(patch, law, only=(), **more):
    return pytest.param(patch, law, only, **more)


EVERY = pytest.mark.slow


@pytest.mark.parametrize("patch, law, only", [
    broken(ANY_AGE, {"endless life", "no life", "expired", "from the future", "odd times", "order of checks"},
           names(commands), id="age"),
    broken(ANY_EPOCH, {"stale epoch", "epoch to come", "order of checks", "a reset begins anew"},
           names(leases, commands), id="epoch"),
    broken(ENDLESS, {"time to live"}, names(motion), id="time to live"),
    broken(ANY_HOLDER, {"anothers lease"}, {"anothers lease"}, id="holder"),
    broken(FOR_EVER, {"an expired lease"}, {"an expired lease"}, id="leases for ever"),
    broken(NO_LINE, {"hand over"}, {"hand over"}, id="no line"),
    broken(EPOCHS_AHEAD, {"epoch to come"}, {"stale epoch", "epoch to come"}, id="epochs ahead"),
    broken(ONLY_THE_SAME, {"a replayed command"}, {"a replayed command"}, id="lower numbers"),
    broken(ANY_SESSION, {"requests of another session"}, {"requests of another session"}, id="session of requests"),
    broken(UNKNOWN_FIELDS, {"odd fields"}, {"odd fields"}, id="unknown fields"),
    broken(NO_JERK_LIMIT, {"a small motion"}, {"a small motion"}, id="jerk"),
    broken(GOES_ON, {"a lease that ends", "a motion taken over"}, {"a lease that ends", "a motion taken over"},
           id="lease goes, motion goes on"),
    broken(SAME_EPOCH, {"a reset begins anew"}, {"a reset begins anew"}, id="epoch of a reset"),
    broken("core().Controller._report = lambda *a: None", {"reports"}, {"reports"}, id="reports"),
    broken(WIDE_GUARD, {"far start"}, {"far start"}, id="wide guard"),
    broken(WAITS_FOR_STANDSTILL, {"a chunk before standstill"}, {"a chunk before standstill"}, id="standstill first"),
    broken(ANY_EPOCH, {"stale epoch", "epoch to come", "order of checks", "a reset begins anew"}, id="epoch of all",
           marks=EVERY),
    broken(ENDLESS, {"time to live"}, id="time to live of all", marks=EVERY),
    broken("core().check_start = lambda *a: None", {"far start"}, id="start", marks=EVERY),
    broken("core().check_sequence = lambda *a: None", {"a replayed command", "order of checks"}, id="sequence",
           marks=EVERY),
    broken(ANY_TOKEN, {"stale lease", "wrong token", "anothers lease", "hand over", "take over", "order of checks"},
           id="token", marks=EVERY),
    broken(ANY_ORDER, {"order by name"}, id="order", marks=EVERY),
    broken(NO_SILENCE, {"silence", "hand over"}, id="silence", marks=EVERY),
    broken(LOST, {"state stream"}, id="lost states", marks=EVERY),
])
def test_a_controller_that_breaks_a_law_fails_exactly_that_check(patch, law, only, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(BREAKER.format(patch=textwrap.indent(patch, "    ")))
    with controller(PYTHONPATH=str(tmp_path)) as endpoint:
        findings = list(check_controller(Contact.at(endpoint), only=only))
    assert {finding.name for finding in findings if finding.outcome == "fail"} == law


def test_a_controller_that_lets_any_commander_take_over_is_told_so(folder, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(BREAKER.format(patch=textwrap.indent(TAKEN_BY_ANYBODY, "    ")))
    with controller("--keys", folder, PYTHONPATH=str(tmp_path)) as endpoint:
        commander, supervisor = (Contact.at(endpoint, keys=folder, key=key) for key in ("commander", "supervisor"))
        only = {"only supervisors take over", "take over"}
        findings = {finding.name: finding.outcome
                    for finding in check_controller(commander, supervisor=supervisor, only=only)}
    assert findings == {"only supervisors take over": "fail", "take over": "pass"}


def test_a_check_that_does_not_exist_is_named():
    with pytest.raises(UnknownName, match="Did you mean 'silence'"):
        next(check_controller(Contact("127.0.0.1", 1), only={"silense"}))


def test_the_words_of_the_checker_are_those_of_the_controller():
    assert {field.name for field in fields(Limits)} | {"max_frame"} == greeting.LIMITS
    assert set(greeting.MODES) == set(Mode)
    assert {"STOP_REQUESTED", "COMM_LOST"} <= set(FaultCode)


def test_no_check_rests_on_a_statement_that_python_O_leaves_out():
    for path in Path(checker.__file__).parent.glob("*.py"):
        assert not [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Assert)], path.name


def test_the_checker_needs_no_simulator():
    program = ("import sys, tandem.bridge.conformance.controller; "
               "print(*{'mujoco', 'ruckig', 'torch', 'rich', 'tyro'} & set(sys.modules))")
    fresh = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert not fresh.stdout.split()
