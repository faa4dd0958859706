"""A folder or disk that cannot take a log: a typed error that says what to do, and what was written stays readable."""

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from dummy_recording import Episode

from tandem.bridge.contract import LogUnwritable
from tandem.bridge.log import LogReader, Recorder, next_free

# A file that may not grow beyond a limit fails in the middle of a write, as a full disk does, and needs no root.
FULL = """
import resource, sys; sys.path.insert(0, {folder!r})
from dummy_recording import *
from tandem.bridge.contract import LogUnwritable
episode, recorder = Episode(size=400), Recorder({path!r})
recorder._state = episode.state
try:
    episode.play(recorder, 2000, pause_s=0.0005, begun=lambda: resource.prlimit(
        recorder._writer.pid, resource.RLIMIT_FSIZE, ({limit}, {limit})))
except LogUnwritable as error:
    print(len(episode.steps), error)
for call in (lambda: recorder.on_step(episode.steps[0]), lambda: recorder.on_event(episode.events[0]),
             lambda: recorder.on_episode_end(result(0))):
    try:
        call()
    except LogUnwritable:
        print("again")
recorder.close()
"""


def test_a_full_disk_is_told_and_keeps_what_was_written(tmp_path):
    path, limit = tmp_path / "e.mcap", 300_000
    program = FULL.format(folder=str(Path(__file__).parent), limit=limit, path=str(path))
    child = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    told, *again = child.stdout.splitlines()
    assert "cannot go on writing" in told
    assert "stay readable" in told
    assert again == ["again"] * 3
    assert f"first {path.stat().st_size} bytes" in told  # no half record at its end
    log = LogReader(path)
    steps = list(log.steps())
    assert 20 < len(steps) < int(told.split()[0]) < 2000
    assert path.stat().st_size <= limit
    assert log.result is None
    assert log.recovered


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_the_first_bytes_may_already_fail(tmp_path):
    recorder = Recorder(tmp_path / "e.mcap")
    os.dup2(os.open("/dev/full", os.O_WRONLY), recorder._file.descriptor)
    with pytest.raises(LogUnwritable, match="No space left"):
        Episode().play(recorder, 2000, pause_s=0.001)
    recorder.close()


def test_a_missing_folder_names_the_command_that_makes_it(tmp_path):
    with pytest.raises(LogUnwritable, match=r"mkdir -p .*nowhere"):
        Recorder(tmp_path / "nowhere" / "e.mcap")
    assert not (tmp_path / "nowhere").exists()


def test_a_folder_that_cannot_be_made_is_typed(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(LogUnwritable, match="cannot make"):
        next_free(tmp_path / "file" / "runs", "e")


def test_a_disk_with_too_little_left_is_refused_before_the_start(tmp_path):
    with pytest.raises(LogUnwritable, match="MiB left, an episode asks for"):
        Recorder(tmp_path / "e.mcap", min_free_bytes=2**60)
    assert not list(tmp_path.iterdir())


def test_a_read_only_folder_is_refused():
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o555)
        root = os.geteuid() == 0
        try:
            if root:
                os.seteuid(65534)  # nobody: root may write everywhere
            with pytest.raises(LogUnwritable, match=r"Permission denied.*may write to"):
                Recorder(Path(folder) / "e.mcap")
        finally:
            if root:
                os.seteuid(0)
            os.chmod(folder, 0o755)


def test_the_file_limit_of_this_process_was_not_touched():
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
