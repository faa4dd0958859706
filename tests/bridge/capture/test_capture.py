"""A session with motion, refusals, a stop and a clear: every message is in the file, and the core says it all again."""

import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgpack
import numpy as np
import pytest

from tandem.bridge.capture import replay as replaying
from tandem.bridge.capture.replay import calls, replay
from tandem.bridge.client import Contact, Link, RemoteBody
from tandem.bridge.contract import LogUnreadable
from tandem.bridge.log.source import open_source
from tandem.bridge.wire import Refused, decode

LAUNCH = Path(__file__).parents[3] / "launch"
ENOUGH = 100_000  # bytes: a second of turns


def start(path, **options):
    process = subprocess.Popen(
        [sys.executable, LAUNCH / "controller.py", "--driver", "dummy", "--port", "0", "--capture", path],
        stdout=subprocess.PIPE, text=True, **options,
    )
    return process, re.search(r"tcp://\S+?(?=,)", process.stdout.readline())[0]


def session(endpoint):
    """Motion, a refused second commander, a stop, a clear; how many chunks were sent."""
    body = RemoteBody.at(Contact.at(endpoint), name="first")
    start_pose = body.reset()[0]["joint_position"]
    for k in range(15):
        body.step(np.append(start_pose + 0.003 * k, 1.0))
    other = Link(Contact.at(endpoint), name="second")
    with pytest.raises(Refused):
        other.acquire()
    number = other.stop("a drill")
    other.watcher.wait(lambda state: state["mode"] == "FAULT", 3, "standstill")
    other.clear(number)
    other.close()
    body.close()
    return 15


@pytest.fixture(scope="module")
def captured(tmp_path_factory):
    path = tmp_path_factory.mktemp("capture") / "session.mcap"
    process, endpoint = start(path)
    chunks = session(endpoint)
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 0
    return path, chunks


def test_the_core_says_everything_again_bit_for_bit(captured):
    verdict = replay(captured[0])
    assert verdict.difference == ""
    assert verdict.recovered == ""
    assert verdict.ticks > 300
    assert verdict.messages > verdict.ticks


def test_every_message_of_the_wire_is_there_verbatim(captured):
    path, chunks = captured
    source = open_source(path)
    kinds = {}
    for topic in source.counts:
        if topic.startswith("/wire/"):
            for logged in source.messages(topic):
                kind = decode(logged.data, limit=2**22).kind
                kinds.setdefault(kind, []).append(topic)
    assert len(kinds["chunk"]) == chunks
    assert len(kinds["accepted"]) == chunks
    wanted = "hello welcome acquire granted refused renew renewed reset ready stop stopping clear cleared state " \
             "event ping pong frame"
    assert set(wanted.split()) <= set(kinds)
    said = sum(len(call[-1]) for call in calls(path) if call[0] == "tick")
    assert said >= len(kinds["state"]) > 300


@pytest.mark.parametrize("change", ["command", "limit"])
def test_another_command_or_limit_is_found_out(captured, change, monkeypatch):
    told = list(calls(captured[0]))
    if change == "limit":
        told[0][1]["limits"]["start_guard"] *= 2
        told[0][1]["limits"]["silence_s"] *= 0.9
    else:
        number = next(k for k, call in enumerate(told) if call[0] == "receive" and b"chunk" in call[2][-1])
        plain = msgpack.unpackb(told[number][2][-1])
        plain["q"] = (np.frombuffer(plain["q"]) + 0.01).tobytes()
        told[number][2][-1] = msgpack.packb(plain)
    monkeypatch.setattr(replaying, "calls", lambda path: iter(told))
    assert replay(captured[0]).difference.startswith("turn ")


def test_after_a_kill_what_was_flushed_is_readable_and_replays(tmp_path):
    path = tmp_path / "killed.mcap"
    process, endpoint = start(path)
    body = RemoteBody.at(Contact.at(endpoint))
    pose = body.reset()[0]["joint_position"]
    for _ in range(20):
        body.step(np.append(pose, 1.0))
    time.sleep(0.6)
    process.kill()
    process.wait()
    body.close()
    verdict = replay(path)
    assert verdict.recovered
    assert verdict.difference == ""
    assert verdict.ticks > 200


def test_what_is_no_capture_is_told_so(tmp_path, captured):
    with pytest.raises(LogUnreadable):
        replay(tmp_path / "nothing.mcap")
    (tmp_path / "junk.mcap").write_bytes(b"junk" * 100)
    with pytest.raises(LogUnreadable):
        replay(tmp_path / "junk.mcap")
    shutil.copy(captured[0], tmp_path / "copy.mcap")
    done = subprocess.run([sys.executable, LAUNCH / "replay_capture.py", tmp_path / "copy.mcap"], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "bit for bit the same" in done.stdout


def test_a_full_disk_ends_the_capture_and_nothing_else(tmp_path):
    """A file that may not grow any more fails in the middle of a write, as a full disk does."""
    path = tmp_path / "session.mcap"
    process, endpoint = start(path, stderr=subprocess.PIPE)
    link = Link(Contact.at(endpoint), name="a")
    while path.stat().st_size < ENOUGH:
        assert process.poll() is None
        time.sleep(0.05)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (path.stat().st_size,) * 2)
    said = ""
    while "the controller goes on" not in said:
        line = process.stderr.readline()
        assert line, f"it ended: {said}"
        said += line
    number = link.stop("the disk is full")
    assert link.request("status")["fault"]["number"] == number
    link.close()
    process.send_signal(signal.SIGTERM)
    said += process.communicate(timeout=20)[1]
    assert process.returncode == 2
    assert said.count("the controller goes on") == 1
    assert any(line.startswith("LogUnwritable") for line in said.splitlines())
    assert sum(1 for _ in calls(path)) > 100
