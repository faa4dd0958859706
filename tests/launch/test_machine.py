"""The doctor's checks: each says what is wrong and what to do about it."""

import json
import shutil
from types import SimpleNamespace

import doctor
import machine
import pytest


def test_every_check_gives_a_finding_and_every_trouble_a_remedy(tmp_path):
    findings = list(machine.examine(tmp_path))
    assert [finding.name for finding in findings] == [
        "python", "packages", "rendering", "gpu", "disk", "clock", "log folder"]  # fmt: skip
    for finding in findings:
        assert finding.status in {"ok", "warn", "fail"}
        assert finding.detail
        assert bool(finding.remedy) == (finding.status != "ok")
    assert list(tmp_path.iterdir()) == []


def test_versions_other_than_the_lock_are_named(tmp_path):
    lock = tmp_path / "requirements.lock"
    lock.write_text("# a comment\nnumpy==0.0.1\n")
    finding = machine.packages(lock)
    assert finding.status == "warn"
    assert "(lock: 0.0.1)" in finding.detail
    assert finding.remedy == "make setup"


def test_a_missing_package_is_named(monkeypatch):
    installed = machine._version
    monkeypatch.setattr(machine, "_version", lambda name: None if name == "ruckig" else installed(name))
    finding = machine.packages()
    assert (finding.status, finding.detail) == ("fail", "missing: ruckig")


def test_an_unknown_backend_fails_with_the_known_ones(monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "vulkan")
    finding = machine.rendering()
    assert finding.status == "fail"
    assert "vulkan" in finding.detail
    assert "egl" in finding.remedy


def test_a_missing_system_library_comes_with_its_package(monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "egl")
    monkeypatch.setattr(machine, "_loads", lambda library: False)
    monkeypatch.setattr(machine, "_RENDER_ONE_FRAME", "raise SystemExit(1)")
    finding = machine.rendering()
    assert (finding.status, finding.remedy) == ("fail", "sudo apt install libegl1 libgl1-mesa-dri")
    assert "libEGL.so.1" in finding.detail


@pytest.mark.parametrize(("free_gb", "status"), [(0.1, "fail"), (2.0, "warn"), (50.0, "ok")])
def test_little_disk_warns_and_less_fails(monkeypatch, tmp_path, free_gb, status):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=free_gb * 1e9))
    assert machine.disk(tmp_path).status == status


def test_a_file_in_place_of_the_log_folder_fails(tmp_path):
    occupied = tmp_path / "runs"
    occupied.write_text("")
    assert machine.log_folder(occupied).status == "fail"


def test_a_log_folder_that_is_not_there_yet_is_fine(tmp_path):
    assert machine.log_folder(tmp_path / "new" / "runs").status == "ok"
    assert list(tmp_path.iterdir()) == []


def test_the_doctor_fails_when_a_check_fails_and_writes_it_down(monkeypatch, tmp_path, capsys):
    findings = [machine.Finding("disk", "ok", "plenty"), machine.Finding("log folder", "fail", "[locked]", "unlock it")]
    monkeypatch.setattr(doctor, "examine", lambda folder: findings)
    report = tmp_path / "report.json"
    assert doctor.main(doctor.Options(json=report)) == 1
    assert json.loads(report.read_text()) == {
        "ok": False,
        "disk": "ok", "disk_detail": "plenty", "disk_remedy": "",
        "log_folder": "fail", "log_folder_detail": "[locked]", "log_folder_remedy": "unlock it",
    }  # fmt: skip
    assert "[locked]" in capsys.readouterr().out
