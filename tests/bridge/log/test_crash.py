"""A log that ends in a crash is readable up to its last chunk, wherever the crash was."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from dummy_recording import DT, Episode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from processes import gone

from tandem.bridge.contract import LogUnreadable, LogUnwritable
from tandem.bridge.log import LogReader, Recorder

PROGRAM = Path(__file__).with_name("dummy_recording.py")


def recording(path, pause_s=0.05):
    """A process that records, and the id of the one that writes for it."""
    program = [sys.executable, PROGRAM, path, "100000", str(pause_s)]
    child = subprocess.Popen(program, stdout=subprocess.PIPE, start_new_session=True)
    writer = int(child.stdout.readline())
    written(path)
    return child, writer


def written(path, size=1, patience_s=30.0):
    """Wait until a file has grown to a size: processes start slowly on a busy machine."""
    deadline = time.monotonic() + patience_s
    while path.stat().st_size < size:
        assert time.monotonic() < deadline, f"{path} does not grow"
        time.sleep(0.01)


def test_kill_of_both_processes_loses_about_a_second_at_most(tmp_path):
    path = tmp_path / "e.mcap"
    child, writer = recording(path)
    time.sleep(2.0)
    os.kill(writer, signal.SIGKILL)
    child.kill()
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


def test_a_kill_of_the_recording_process_alone_loses_nothing(tmp_path):
    path = tmp_path / "e.mcap"
    child, writer = recording(path, pause_s=0.02)
    time.sleep(1.0)
    child.kill()
    killed = time.time()
    child.wait(10)
    assert gone(writer), "it must notice that nothing more will come"
    log = LogReader(path)
    assert killed - list(log.steps())[-1].wall_time < 0.1
    assert log.recovered is None
    assert log.result is None


def test_a_writer_notices_the_death_of_its_parent_though_somebody_else_holds_the_pipe(tmp_path):
    program = (
        f"import os, sys, time; sys.path.insert(0, {str(PROGRAM.parent)!r}); from dummy_recording import *\n"
        f"r = Recorder({str(tmp_path / 'e.mcap')!r}); Episode().play(r, 5, end=False)\n"
        "other = os.fork() or time.sleep(60)\n"
        "print(r._writer.pid, other, flush=True); os.kill(os.getpid(), 9)"
    )
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    writer, other = map(int, child.stdout.readline().split())
    child.wait(10)
    try:
        assert gone(writer)
    finally:
        os.kill(other, signal.SIGKILL)
    assert len(list(LogReader(tmp_path / "e.mcap").steps())) == 5


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_stop_of_the_recording_process_finishes_the_log(tmp_path, stop):
    path = tmp_path / "e.mcap"
    child, writer = recording(path, pause_s=0.02)
    time.sleep(0.7)
    os.killpg(child.pid, stop)  # as a terminal does: to everybody in the foreground
    assert child.wait(10) != 0
    assert gone(writer)
    log = LogReader(path)
    assert log.recovered is None
    assert log.result is None
    assert len(list(log.steps())) > 10


def test_a_killed_writer_is_told_and_what_it_wrote_stays_readable(tmp_path):
    episode, path = Episode(), tmp_path / "e.mcap"
    recorder = Recorder(path, state=episode.state)
    episode.play(recorder, 20, end=False)
    written(path)
    time.sleep(1.2)  # it writes out what it has twice a second
    os.kill(recorder._writer.pid, signal.SIGKILL)
    with pytest.raises(LogUnwritable, match=r"ended with status -9.*stay readable"):
        for _ in range(1000):
            recorder.on_step(episode.steps[-1])
    with pytest.raises(LogUnwritable, match="status -9"):
        recorder.on_event(episode.events[0])
    recorder.close()
    assert len(list(LogReader(path).steps())) == 20


def test_a_killed_writer_is_no_deadlock_for_one_that_waits_for_it(tmp_path):
    episode, recorder = Episode(look_every=1), Recorder(tmp_path / "e.mcap", queue_bytes=30_000)

    def stop():
        os.kill(recorder._writer.pid, signal.SIGSTOP)
        threading.Timer(0.5, os.kill, (recorder._writer.pid, signal.SIGKILL)).start()

    start = time.monotonic()
    with pytest.raises(LogUnwritable, match="status -9"):
        episode.play(recorder, 1000, begun=stop)
    assert time.monotonic() - start < 5
    recorder.close()


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
    with pytest.raises(LogUnreadable, match=r"no channel '/sim/state'; .*it has: /action, .*/obs/front,"):
        log.states()
    with pytest.raises(LogUnreadable, match=r"no attachment 'model.mjb'; it has: manifest.json"):
        log.model()
    assert log.actions()[0][1] == DT
