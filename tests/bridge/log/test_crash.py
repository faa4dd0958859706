"""A log that ends in a crash is readable up to its last chunk, wherever the crash was."""

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from dummy_recording import DT, Episode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tandem.bridge.contract import LogUnreadable
from tandem.bridge.log import LogReader, Recorder

PROGRAM = Path(__file__).with_name("dummy_recording.py")


def test_kill_in_the_middle_loses_about_a_second_at_most(tmp_path):
    path, pause_s = tmp_path / "e.mcap", 0.05
    child = subprocess.Popen([sys.executable, PROGRAM, path, "100000", str(pause_s)], stdout=subprocess.PIPE)
    try:
        assert child.stdout.readline() == b"recording\n"
        time.sleep(2.0)
    finally:
        child.send_signal(signal.SIGKILL)
        killed = time.time()
        child.wait(10)
    log = LogReader(path)
    steps = list(log.steps())
    assert killed - steps[-1].wall_time < 1.5
    assert [step.index for step in steps] == list(range(len(steps)))
    assert log.recovered.startswith("recovered ")
    assert "the last at t=" in log.recovered
    assert log.result is None
    assert log.manifest["seed"] == 0
    assert log.spec.dof == 7


def test_an_exit_without_close_writes_all_that_was_recorded(tmp_path):
    program = (
        f"import sys; sys.path.insert(0, {str(PROGRAM.parent)!r}); from dummy_recording import *;"
        f"r = Recorder({str(tmp_path / 'e.mcap')!r}); Episode().play(r, 15, end=False)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
    log = LogReader(tmp_path / "e.mcap")
    assert log.recovered is None
    assert len(list(log.steps())) == 15


class Whole(NamedTuple):
    """A log's bytes and what was told; short in messages of hypothesis."""

    data: bytes
    episode: Episode

    def __repr__(self):
        return f"{len(self.data)} bytes"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path, episode = tmp_path_factory.mktemp("whole") / "e.mcap", Episode(size=400)
    with Recorder(path, state=episode.state, model=bytes(3000)) as recorder:
        episode.play(recorder, 150)
    return Whole(path.read_bytes(), episode)


def read_all(path):
    log = LogReader(path)
    _ = log.manifest, log.result, log.attempts, log.channels
    counts = {"steps": sum(1 for _ in log.steps()) if "/action" in log.channels else 0}
    counts["images"] = sum(1 for _ in log.images("front")) if "/obs/front" in log.channels else 0
    counts["events"] = sum(1 for _ in log.events())
    return log, counts


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.floats(0, 1))
def test_every_cut_is_readable_or_typed(tmp_path, whole, where):
    data, episode = whole
    path = tmp_path / "cut.mcap"
    path.write_bytes(data[: int(where * (len(data) - 1))])
    try:
        log, counts = read_all(path)
    except LogUnreadable:
        return
    assert log.recovered is not None
    if "/sim/state" in log.channels:
        states = log.states()[1]
        np.testing.assert_array_equal(states, episode.states[: len(states)])
        assert counts["steps"] in (len(states) - 1, len(states))


def test_a_cut_costs_no_more_than_one_chunk(tmp_path, whole):
    data, _ = whole
    path = tmp_path / "cut.mcap"
    for part in (0.5, 0.9):
        path.write_bytes(data[: int(part * len(data))])
        _, counts = read_all(path)
        assert counts["steps"] > 150 * part - 45  # 64 KiB hold about 18 steps of this state, and some pictures
        assert LogReader(path).recovered.endswith(f"{(LogReader(path).states()[0][-1]):.2f} s")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.floats(0, 1), value=st.integers(1, 255))
def test_a_changed_byte_is_never_an_untyped_error(tmp_path, whole, where, value):
    data = bytearray(whole[0])
    data[int(where * (len(data) - 1))] ^= value
    path = tmp_path / "changed.mcap"
    path.write_bytes(data)
    try:
        read_all(path)
    except LogUnreadable:
        return


def test_what_is_no_log_says_so(tmp_path):
    for name, content in (("empty", b""), ("text", b"hello" * 100), ("magic", b"\x89MCAP0\r\n")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(LogUnreadable, match="is no episode log"):
            LogReader(tmp_path / name)
    with pytest.raises(LogUnreadable, match="there is no log"):
        LogReader(tmp_path / "nothing")


def test_a_channel_that_is_not_there_lists_those_that_are(tmp_path):
    with Recorder(tmp_path / "e.mcap") as recorder:
        Episode().play(recorder, 3)
    log = LogReader(tmp_path / "e.mcap")
    with pytest.raises(LogUnreadable, match=r"no channel '/sim/state'; it has: /action, .*/obs/front,"):
        log.states()
    with pytest.raises(LogUnreadable, match=r"no attachment 'model.mjb'; it has: manifest.json"):
        log.model()
    assert log.actions()[0][1] == DT
