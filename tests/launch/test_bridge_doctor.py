"""The doctor at a controller: all is well, or which hop is not, with the remedy; and one joint moves, alone."""

import json
import re
import socket
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import doctor
import numpy as np
import pytest
from bridge_doctor import Examination, examine_body
from doctoring import body, reach, wiggle
from doctoring.ear import Ear
from doctoring.keyring import guard, key_files
from doctoring.spread import histogram
from doctoring.trial import Track, Trial, compare, judge
from machine import Finding

from tandem.bridge import keys
from tandem.bridge.client import Contact, Link
from tandem.bridge.conformance import DummyBody, dummy_spec
from tandem.bridge.controller.lockstep_gateway import LockstepGateway
from tandem.bridge.controller.setup import Setup
from tandem.bridge.roles import Role

LAUNCH = Path(__file__).parents[2] / "launch"
QUICK = Examination("", pings=30, clock_s=0.1, stream_s=0.4, picture_s=0.5)
HOPS = ["keys", "reach", "guard", "hello", "ports", "controller", "mode", "lease", "clock", "to gateway", "to servo",
        "states", "state age", "servo loop", "cameras", "names", "limits", "kinematics", "hand"]  # fmt: skip
LACKS = {"hand"}  # the dummy's model moves no fingers
BUSY = {"clock", "to gateway", "to servo", "states", "state age", "servo loop", "cameras", "to command"}
"""What may warn where tests run beside other things."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    folder.chmod(0o700)
    keys.make_pair(folder, keys.CONTROLLER)
    for role in Role:
        keys.allow(folder, str(role), role, keys.make_pair(folder, str(role)).public)
    keys.make_pair(folder, "stranger")
    return folder


@pytest.fixture(scope="module")
def guarded(controller, folder):
    with controller("--keys", folder) as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def plain(controller):
    with controller() as endpoint:
        yield endpoint


def examined(endpoint, folder=None, key="commander", *, wiggle=None, agreed=True, **options):
    asked = replace(QUICK, endpoint=endpoint, keys=folder, key=key, wiggle=wiggle)
    findings = {finding.name: finding for finding in examine_body(asked, agreed=lambda question: agreed, **options)}
    for finding in findings.values():
        assert bool(finding.remedy) == (finding.status != "ok"), finding
    return findings


def assert_well(findings):
    bad = [finding for finding in findings.values()
           if finding.status != "ok" and not (finding.status == "warn" and finding.name in BUSY | LACKS)]
    assert not bad


@contextmanager
def fault_latched(endpoint, folder):
    person = Link(Contact.at(endpoint, keys=folder, key="supervisor"), name="person")
    number = person.stop("a drill")
    try:
        yield number
    finally:
        person.clear(number)
        person.close()


def listening_to(endpoint, folder):
    return Link(Contact.at(endpoint, keys=folder, key="observer"), name="watcher")


# --- a controller with which all is well ---


def test_a_plain_controller_passes_every_check(plain):
    found = examined(plain)
    assert list(found) == HOPS
    assert_well(found)
    assert re.search(r"p50 \d+, p90 \d+, p99 \d+, max \d+ us\n.*[▁-█]", found["to gateway"].detail)
    assert "action 1 -> slide_y" in found["names"].detail
    assert "image.front 24x32x3 uint8" in found["cameras"].detail
    assert " of 500 a second" in found["states"].detail


def test_a_guarded_one_moves_the_joint_that_was_named_and_only_that(guarded, folder):
    watcher = listening_to(guarded, folder)
    with Ear(watcher) as ear:
        ear.wait()
        found = examined(guarded, folder, wiggle="slide_y")
        positions = np.array([message["position"] for message in ear.take() if message.kind == "state"])
    watcher.close()
    assert list(found) == [*HOPS, "to command", "wiggle"]
    assert_well(found)
    farthest = np.abs(positions - positions[0]).max(axis=0)
    assert farthest[1] == pytest.approx(0.02 * 0.8, rel=0.02)
    np.testing.assert_allclose(farthest[[0, 2]], 0.0, atol=1e-9)
    np.testing.assert_allclose(positions[-1], positions[0], atol=1e-4)
    assert re.search(r"slide_y: told [+-]0\.0160 m, moved [+-]0\.01[56]\d \(\d+%\)", found["wiggle"].detail)


def test_nothing_moves_unless_a_person_agrees(guarded, folder):
    found = examined(guarded, folder, wiggle="slide_y", agreed=False)
    assert found["wiggle"].status == "warn"
    assert "nothing has moved" in found["wiggle"].detail


def test_a_body_in_lockstep_is_not_asked_for_what_it_does_not_have():
    with LockstepGateway(DummyBody(), Setup()) as gateway:
        server = threading.Thread(target=gateway.run)
        server.start()
        try:
            found = examined(gateway.endpoint, wiggle="slide_y")
        finally:
            gateway.shut_down()
            server.join()
    assert found["lockstep"].status == "ok"
    assert found["wiggle"].status == "warn"
    assert not {"to servo", "states", "servo loop", "cameras"} & set(found)
    assert "fail" not in {finding.status for finding in found.values()}


# --- nobody there, or somebody else ---


def test_an_unknown_host_and_a_refused_port_are_told_apart():
    refused = examined("tcp://127.0.0.1:9")
    assert "refused" in refused["reach"].detail
    assert "launch/controller.py" in refused["reach"].remedy
    assert "no host" in examined("tcp://no.such.host.invalid:7000")["reach"].detail
    assert "tcp://HOST:PORT" in examined("nonsense")["reach"].detail


def test_a_port_that_swallows_everything_is_told_as_filtered(monkeypatch):
    monkeypatch.setattr(reach, "PATIENCE_S", 0.3)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        finding, mechanism = reach.reach(*full.getsockname())
        for one in waiting:
            one.close()
    assert (finding.status, mechanism) == ("fail", "")
    assert "filtered" in finding.detail
    assert "firewalls" in finding.remedy


def test_somebody_who_is_no_controller_is_told_so():
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=lambda: [server.accept()[0].close() for _ in range(2)], daemon=True).start()
        found = examined(f"tcp://127.0.0.1:{server.getsockname()[1]}")
    assert "does not speak ZMTP" in found["reach"].detail


def test_another_of_its_ports_is_told_so(plain):
    link = Link(Contact.at(plain))
    other = link.ports["command"]
    link.close()
    assert "hello is not for the command socket" in examined(f"tcp://127.0.0.1:{other}")["hello"].detail


# --- keys ---


def test_a_key_that_is_not_on_the_list_is_told_so(guarded, folder):
    found = examined(guarded, folder, "stranger")
    assert "does not let this key in" in found["hello"].detail
    assert "keys.py make" in found["hello"].remedy


def test_a_wrong_key_of_the_controller_is_told_so(guarded, folder, tmp_path):
    tmp_path.chmod(0o700)
    keys.make_pair(tmp_path, keys.CONTROLLER)
    secret = tmp_path / "commander.key_secret"
    secret.touch(mode=0o600)
    secret.write_text((folder / secret.name).read_text())
    found = examined(guarded, tmp_path)
    assert "wrong controller.key" in found["hello"].detail
    assert "copy controller.key" in found["hello"].remedy


def test_plain_against_curve_is_told_apart_both_ways(guarded, plain, folder):
    found = examined(guarded)
    assert "this side has no key" in found["guard"].detail
    assert "--keys" in found["guard"].remedy
    found = examined(plain, folder)
    assert "the controller is plain" in found["guard"].detail
    assert "hello" not in found


def test_keys_that_are_missing_or_lie_open_are_told_with_the_command(guarded, folder, tmp_path):
    assert "one of: commander, observer, stranger, supervisor" in examined(guarded, folder, "nobody")["keys"].remedy
    assert "no folder" in key_files(tmp_path / "none", "commander", "127.0.0.1").detail
    keys.make_pair(tmp_path, keys.CONTROLLER)
    keys.make_pair(tmp_path, "commander")
    assert key_files(tmp_path, "commander", "arm").detail.endswith("own secret lies there as well")
    tmp_path.chmod(0o755)
    assert key_files(tmp_path, "commander", "127.0.0.1").remedy == f"chmod 700 {tmp_path}"
    tmp_path.chmod(0o777)
    assert key_files(tmp_path, "commander", "127.0.0.1").status == "fail"
    (tmp_path / "commander.key_secret").chmod(0o644)
    assert key_files(tmp_path, "commander", "127.0.0.1").remedy == f"chmod 600 {tmp_path / 'commander.key_secret'}"


def test_only_this_computer_may_be_plain():
    assert key_files(None, "commander", "127.0.0.1").status == "ok"
    assert "--keys" in key_files(None, "commander", "10.0.0.7").remedy
    assert guard("NULL", None, "10.0.0.7").status == "fail"


def test_a_role_that_was_changed_since_the_controller_started_is_told(guarded, folder):
    public = keys.load_pair(folder, "observer").public
    keys.allow(folder, "observer", Role.COMMANDER, public)
    try:
        found = examined(guarded, folder, "observer")
    finally:
        keys.allow(folder, "observer", Role.OBSERVER, public)
    assert "says commander" in found["hello"].detail
    assert "start the controller again" in found["hello"].remedy


# --- who may move it, and when ---


def test_an_observer_commands_nothing_and_moves_nothing(guarded, folder):
    found = examined(guarded, folder, "observer", wiggle="slide_y")
    assert found["hello"].status == "warn"
    assert "is an observer" in found["wiggle"].detail
    assert "commander's" in found["wiggle"].remedy


def test_a_joint_that_is_not_there_is_answered_with_those_that_are(guarded, folder):
    assert "slide_x, slide_y, slide_z" in examined(guarded, folder, wiggle="elbow")["wiggle"].remedy


def test_a_latched_fault_is_named_and_nothing_moves(guarded, folder):
    with fault_latched(guarded, folder) as number:
        found = examined(guarded, folder, wiggle="slide_y")
    for finding in (found["mode"], found["wiggle"]):
        assert finding.status == "fail"
        assert f"fault {number}, STOP_REQUESTED" in finding.detail
        assert "supervisor's key" in finding.remedy
        assert f"clear {guarded} --keys FOLDER --fault {number}" in finding.remedy
    assert "a drill" in found["mode"].detail
    assert "to command" not in found


def test_an_arm_that_somebody_holds_is_left_alone(guarded, folder):
    holder = Link(Contact.at(guarded, keys=folder), name="painter")
    grant = holder.acquire()
    try:
        found = examined(guarded, folder, "supervisor", wiggle="slide_y")
    finally:
        holder.release(grant)
        holder.close()
    assert (found["lease"].status, found["wiggle"].status) == ("warn", "fail")
    assert "painter holds" in found["wiggle"].detail


def test_ctrl_c_stops_the_arm_at_once(guarded, folder):
    def interrupt(what, share):
        if what == "moving slide_y" and share > 0.3:
            raise KeyboardInterrupt

    person = Link(Contact.at(guarded, keys=folder, key="supervisor"), name="person")
    try:
        finding = examined(guarded, folder, wiggle="slide_y", show=interrupt)["wiggle"]
        fault = person.request("status")["fault"]
        assert fault["code"] == "STOP_REQUESTED"
        assert f"fault {fault['number']} is latched" in finding.detail
        person.clear(fault["number"])
    finally:
        person.close()


def test_a_stop_by_somebody_else_ends_it(guarded, folder):
    person = Link(Contact.at(guarded, keys=folder, key="supervisor"), name="person")
    stopped = []

    def stop(what, share):
        if what == "moving slide_y" and share > 0.3 and not stopped:
            stopped.append(person.stop("enough"))

    try:
        finding = examined(guarded, folder, wiggle="slide_y", show=stop)["wiggle"]
        person.clear(stopped[0])
    finally:
        person.close()
    assert finding.status == "fail"
    assert f"--fault {stopped[0]}" in finding.remedy


# --- what is said of a motion, without one ---


def measured(trial, *, sign=1.0, joint=None, delay_s=0.05):
    """An arm that follows, moves another joint, the other way, or another amount."""
    times = np.arange(-0.2, trial.seconds + 0.7, 0.002)
    reference = trial.offsets(times - delay_s)
    positions = np.tile(trial.base[:-1], (len(times), 1))
    positions[:, trial.joint if joint is None else joint] += sign * reference
    setpoints = np.tile(trial.base[:-1], (len(times), 1))
    setpoints[:, trial.joint] += trial.offsets(times - 0.02)
    return Track(times, positions, setpoints)


@pytest.mark.parametrize("made, status, words", [
    ({}, "ok", "(100%), 50 ms behind (20 of them"),
    ({"sign": -1.0}, "fail", "the other way"),
    ({"sign": 180 / np.pi}, "fail", "another amount"),
    ({"sign": 0.0}, "fail", "hardly moved"),
    ({"joint": 2}, "fail", "instead moved slide_z"),
])  # fmt: skip
def test_what_moved_where_and_how_far_is_told_apart(made, status, words):
    spec = dummy_spec()
    trial = Trial(spec, 1, "slide", np.append(spec.home, 1.0))
    told = judge(trial, compare(trial, measured(trial, **made), dict.fromkeys(spec.joint_names, "slide")))
    assert told[0] == status
    assert words in told[1]
    assert bool(told[2]) == (status != "ok")


def test_a_trial_begins_and_ends_at_rest_where_the_arm_stood_and_stays_slow():
    spec = dummy_spec()
    for kind, amount in {"slide": 0.016, "hinge": np.radians(2.0)}.items():
        trial = Trial(spec, 1, kind, np.array([0.4, 0.39, 0.3, 1.0]))
        rows = trial.actions(np.linspace(-0.5, trial.seconds + 0.5, 2000))
        np.testing.assert_array_equal(rows[[0, -1]], [trial.base, trial.base])
        assert np.ptp(rows, axis=0)[[0, 2, 3]].max() == 0.0
        assert rows[:, 1].max() == 0.39  # away from the nearer end of the range
        assert np.ptp(rows[:, 1]) == pytest.approx(amount, rel=1e-3)
        assert np.abs(np.gradient(rows[:, 1], (trial.seconds + 1) / 1999)).max() <= 0.5 * spec.velocity_limit[1]


# --- names, units, kinematics ---


def test_ranges_and_velocities_that_smell_of_degrees_are_told():
    spec, n = dummy_spec(), 3
    wide = replace(spec, position_low=np.full(n, -180.0), position_high=np.full(n, 180.0))
    (warned,) = body.limits(wide)
    (failed,) = body.limits(replace(wide, velocity_limit=np.array([0.5, 90.0, 0.5])))
    assert (warned.status, failed.status) == ("warn", "fail")
    assert "slide_y [-180, 180], 90 a second" in failed.detail


def test_a_kinematics_that_is_none_or_lacks_a_name_is_told(monkeypatch):
    pytest.importorskip("mujoco")
    spec = dummy_spec()
    (broken,) = body.kinematics(replace(spec, kinematics="<mujoco"))
    lacking, hand = body.kinematics(replace(spec, tool_site="nozzle"))
    assert (broken.status, lacking.status) == ("fail", "fail")
    assert "site nozzle" in lacking.detail
    assert (hand.status, "one actuator" in hand.detail) == ("warn", True)
    (_, none) = body.kinematics(replace(spec, gripper=None))
    assert (none.status, "no gripper" in none.detail) == ("warn", True)
    monkeypatch.setitem(sys.modules, "mujoco", None)
    (unchecked,) = body.kinematics(spec)
    assert (unchecked.status, unchecked.detail[:11]) == ("warn", "not checked")
    assert wiggle.joint_kinds(spec) == {}


def test_a_histogram_shows_whatever_occurred():
    drawn = histogram(np.append(np.full(10_000, 150.0), 9_000.0))
    assert drawn.startswith("100 us ")
    assert drawn.endswith(" 10 ms")
    assert len(re.findall("[▁-█]", drawn)) == 2


# --- the script ---


def test_the_script_fails_when_a_hop_fails_and_writes_it_down(tmp_path, capsys):
    report = tmp_path / "report.json"
    assert doctor.main(doctor.Options(body="tcp://127.0.0.1:9", json=report)) == 1
    told = json.loads(report.read_text())
    assert (told["ok"], told["keys"], told["reach"]) == (False, "ok", "fail")
    assert "cannot run there" in capsys.readouterr().out


def test_what_was_found_before_ctrl_c_stays_readable(monkeypatch, tmp_path, capsys):
    def findings(*_):
        yield Finding("keys", "ok", "all there")
        raise KeyboardInterrupt

    monkeypatch.setattr(doctor, "findings_of", findings)
    report = tmp_path / "report.json"
    assert doctor.main(doctor.Options(body="tcp://127.0.0.1:9", json=report)) == 130
    assert json.loads(report.read_text())["ok"] is False
    printed = capsys.readouterr().out
    assert "all there" in printed
    assert "Interrupted after 1 checks" in printed
