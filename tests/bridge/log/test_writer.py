"""The process that writes: one for log after log, never longer than the one that records."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from dummy_recording import Episode
from processes import gone

from tandem.bridge.log import LogReader, Recorder

PROGRAM = Path(__file__).with_name("dummy_recording.py")


def test_the_writer_waits_for_the_next_log_and_ends_with_the_recording_process(tmp_path):
    program = (
        f"import sys; sys.path.insert(0, {str(PROGRAM.parent)!r}); from dummy_recording import *\n"
        "for k in range(3):\n"
        f"    r = Recorder({str(tmp_path)!r} + f'/{{k}}.mcap'); Episode(seed=k).play(r, 5); print(r._writer.pid)"
    )
    child = subprocess.run([sys.executable, "-c", program], check=True, timeout=60, capture_output=True, text=True)
    [pid] = set(map(int, child.stdout.split()))
    assert gone(pid)
    for k in range(3):
        log = LogReader(tmp_path / f"{k}.mcap")
        assert (log.recovered, log.manifest["seed"], len(list(log.steps()))) == (None, k, 5)


def test_a_writer_that_is_killed_while_it_waits_is_replaced(tmp_path):
    first, second = Recorder(tmp_path / "a.mcap"), Recorder(tmp_path / "b.mcap")
    Episode().play(first, 3)
    os.kill(first._writer.pid, signal.SIGKILL)
    assert gone(first._writer.pid)
    Episode().play(second, 3)
    assert second._writer.pid != first._writer.pid
    assert len(list(LogReader(tmp_path / "b.mcap").steps())) == 3


def test_a_fork_does_not_take_the_writer_of_its_parent(tmp_path):
    program = (
        f"import os, sys; sys.path.insert(0, {str(PROGRAM.parent)!r}); from dummy_recording import *\n"
        f"def record(n):\n    r = Recorder({str(tmp_path)!r} + f'/{{n}}.mcap'); Episode().play(r, 3)\n"
        "    print(r._writer.pid, flush=True)\n"
        "record('a'); child = os.fork(); record('b' if child else 'c')\n"
        "child and os.waitpid(child, 0)"
    )
    child = subprocess.run([sys.executable, "-c", program], check=True, timeout=60, capture_output=True, text=True)
    first, *others = child.stdout.split()
    assert sorted(pid == first for pid in others) == [False, True]
    assert all(len(list(LogReader(tmp_path / f"{n}.mcap").steps())) == 3 for n in "abc")
