"""An output is whole or not there: after a mistake, a kill at any moment, and beside another that is being written."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from dummy_logs import record

from tandem.bridge.contract import InvalidOption, UnusableDataset
from tandem.bridge.datasets import export_logs
from tandem.bridge.datasets.draft import drafted


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("folder", [True, False])
def test_it_appears_whole_at_the_end(tmp_path, folder):
    with drafted(tmp_path / "out", folder=folder) as draft:
        (draft / "part" if folder else draft).write_text("words")
        assert not (tmp_path / "out").exists()
    assert names(tmp_path) == ["out"]
    assert (tmp_path / "out/part" if folder else tmp_path / "out").read_text() == "words"


@pytest.mark.parametrize("error", [KeyboardInterrupt, UnusableDataset("no")])
def test_nothing_is_left_after_a_mistake(tmp_path, error):
    with pytest.raises(type(error) if isinstance(error, Exception) else error):
        with drafted(tmp_path / "out", folder=True) as draft:
            (draft / "part").write_text("words")
            raise error
    assert names(tmp_path) == []


@pytest.mark.parametrize("folder", [True, False])
def test_what_appears_meanwhile_is_not_replaced(tmp_path, folder):
    with pytest.raises(UnusableDataset, match="cannot write"):
        with drafted(tmp_path / "out", folder=folder) as draft:
            (draft / "part" if folder else draft).write_text("mine")
            (tmp_path / "out").mkdir()
            (tmp_path / "out/theirs").write_text("theirs")
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["theirs"]


def test_a_draft_that_is_being_written_is_left_alone(tmp_path):
    with drafted(tmp_path / "out", folder=True) as first, drafted(tmp_path / "out", folder=True) as second:
        assert first.is_dir()
        assert first != second


def test_a_place_that_cannot_be_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UnusableDataset, match="cannot write"):
        with drafted(tmp_path / "file/out", folder=True):
            pass
    with pytest.raises(InvalidOption, match="never overwritten"):
        with drafted(tmp_path / "file", folder=False):
            pass


@pytest.mark.parametrize("to", ["lerobot", "hdf5"])
def test_a_kill_in_the_middle_leaves_none_and_the_next_export_tidies_up(tmp_path, to):
    record(tmp_path / "a.mcap")
    program = [sys.executable, Path(__file__).parent / "dummy_logs.py", tmp_path / "a.mcap", tmp_path / "out", to]
    folders = [str(Path(__file__).parents[1] / "log")]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True, env=_environment(folders)) as process:
        assert process.stdout.readline() == "half\n"
        process.send_signal(signal.SIGKILL)
    assert not (tmp_path / "out").exists()
    assert len(names(tmp_path)) == 2  # the log, and a hidden folder
    assert export_logs([tmp_path / "a.mcap"], tmp_path / "out", to=to).episodes == 1
    assert names(tmp_path) == ["a.mcap", "out"]


def _environment(folders):
    return os.environ | {"PYTHONPATH": os.pathsep.join([*folders, os.environ.get("PYTHONPATH", "")])}
