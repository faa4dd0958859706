"""The golden traces of the repository come about again; where they do not, the fields that changed are named."""

import subprocess
import sys
from pathlib import Path

import pytest
from replaying import goldens
from replaying.goldens import GOLDENS, changes, compare, fields_of
from replaying.logged import Logged

from tandem.policies.motion import policy as motion
from tandem.policies.motion.pace import Pace

SCRIPT = Path(__file__).parents[2] / "launch" / "goldens.py"


@pytest.mark.parametrize("name", sorted(GOLDENS))
def test_what_the_system_did_it_does_again(name, tmp_path):
    found = compare(name, tmp_path)
    if not found.comparable:
        pytest.skip(f"the trace is of another simulator: {found.course.words}")
    assert found.course.ok, found.course
    assert not found.changes, "\n".join(f"{one.path}: {one.then!r} -> {one.now!r}" for one in found.changes)


def test_a_change_of_behaviour_is_shown_by_step_and_by_field(tmp_path, monkeypatch):
    monkeypatch.setattr(motion, "Pace", lambda: Pace(carry_m_s=0.2))
    found = compare("pick_place", tmp_path)
    assert not found.ok
    assert 20 < found.course.step < 128, "carrying comes after reaching and closing"
    assert {"result.steps", "result.body_s", "channels./action"} <= {one.path for one in found.changes}


def test_fields_are_compared_by_path_numbers_with_a_little_room():
    then = {"a": [1.0, {"b": "x"}], "c": 2}
    assert list(changes(then, {"a": [1.0 + 1e-9, {"b": "x"}], "c": 2})) == []
    found = list(changes(then, {"a": [1.1, {"b": "y"}, 3]}))
    assert [(one.path, one.then, one.now) for one in found] == [
        ("a[0]", 1.0, 1.1), ("a[1].b", "x", "y"), ("a[2]", None, 3), ("c", 2, None)]


def test_every_trace_is_there_and_none_else_and_none_names_a_folder_of_a_machine():
    assert {path.stem for path in goldens.FOLDER.glob("*.mcap")} == set(GOLDENS)
    for name in GOLDENS:
        logged = Logged(goldens.path_of(name))
        assert fields_of(logged)["certificate"] == "bit-exact"
        assert not any(Path(word).is_absolute() for word in logged.reader.manifest["argv"])


def test_an_unknown_name_is_told(tmp_path):
    done = subprocess.run([sys.executable, SCRIPT, "inser"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Did you mean 'insert'?" in done.stderr
