"""Served policies as people run them: two processes give the episode of one; bad options are told at once."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from composition import System
from serve_policy import Options, main

from tandem.bridge.contract import TandemError, UnknownName
from tandem.bridge.log import LogReader

LAUNCH = Path(__file__).parents[2] / "launch"
SCHEMES = {"gr00t": "gr00t:tcp", "openpi": "openpi:ws"}


def run(script, *options, cwd, **environment):
    command = [sys.executable, LAUNCH / script, *map(str, options)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=300, check=False,
                          env={**os.environ, **environment})


@pytest.fixture
def serving(tmp_path):
    started = []

    def start(*options, **environment):
        command = [sys.executable, LAUNCH / "serve_policy.py", "--port", "0", *options]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path,
                                   env={**os.environ, "PYTHONUNBUFFERED": "1", **environment})
        started.append(process)
        said = []
        for line in process.stdout:
            said.append(line)
            if found := re.match(r"ready \w+ at 127\.0\.0\.1:(\d+)", line):
                return process, int(found[1]), "".join(said)
        raise AssertionError(f"the server did not get ready: {said}")

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.slow
@pytest.mark.parametrize("wire", ["gr00t", "openpi"])
def test_two_processes_give_the_episode_of_one(wire, serving, tmp_path):
    process, port, said = serving("--wire", wire, TANDEM_POLICY_TOKEN="secret")
    assert "joint_position [rad] -> joint_position (7,)" in said
    common = ("--planner", "scripted", "--seed", 3, "--no-pictures")
    remote = run("episode.py", *common, "--log-dir", tmp_path / "remote", "--policy",
                 f"{SCHEMES[wire]}://127.0.0.1:{port}#tandem", cwd=tmp_path, TANDEM_POLICY_TOKEN="secret")
    assert remote.returncode == 0, remote.stdout + remote.stderr
    assert "actions (H, 8) -> joint_position [rad] + gripper_opening [1 open]" in remote.stdout
    assert "secret" not in remote.stdout
    here = run("episode.py", *common, "--log-dir", tmp_path / "here", cwd=tmp_path)
    assert here.returncode == 0, here.stdout + here.stderr
    logs = [LogReader(next((tmp_path / name).rglob("*.mcap"))) for name in ("remote", "here")]
    one, other = (log.commands() for log in logs)
    assert np.array_equal(one[1], other[1])
    assert b"secret" not in next((tmp_path / "remote").rglob("*.mcap")).read_bytes()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 0


@pytest.mark.parametrize("option, words", [
    ({"host": "0.0.0.0"}, "--token"), ({"map": "libero"}, "cannot be served"), ({"map": "none"}, "key map"),
    ({"policy": "none"}, "motion"), ({"horizon": 0}, "horizon"), ({"skill": "juggle"}, "skill"),
])
def test_a_bad_option_of_the_server_is_told(option, words, monkeypatch):
    monkeypatch.delenv("TANDEM_POLICY_TOKEN", raising=False)
    with pytest.raises(TandemError, match=words):
        main(Options(**option))


def test_a_bad_option_ends_the_server(tmp_path):
    done = run("serve_policy.py", "--map", "none", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("UnknownName: unknown key map 'none'")


@pytest.mark.slow
def test_an_episode_without_its_server_is_refused(tmp_path):
    nobody = ("--policy", "gr00t:tcp://127.0.0.1:9", "--policy-timeout-s", "0.3")
    done = run("episode.py", "--planner", "scripted", *nobody, cwd=tmp_path)
    assert done.returncode == 2
    assert "ServerUnresponsive: tcp://127.0.0.1:9, ping: no answer within 0.3 s" in done.stderr


def test_a_policy_is_named_or_has_an_address():
    assert System(policy="openpi:ws://127.0.0.1:8000#droid").policy
    with pytest.raises(UnknownName, match="gr00t:tcp://HOST:PORT"):
        System(policy="gr00t:127.0.0.1:5555")
