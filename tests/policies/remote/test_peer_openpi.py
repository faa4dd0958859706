"""openpi's own client against our server, and a server of openpi's own parts against our client (make peers)."""

import json
import os
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from tandem.bridge.conformance import DummyPolicy
from tandem.bridge.contract import FailureCode, SkillFailed, Subgoal

ROOT = Path(__file__).parents[3]
HOME = Subgoal("home")
pytestmark = pytest.mark.peer


@pytest.fixture
def python():
    home = Path(os.environ.get("TANDEM_PEERS", Path.home() / ".cache" / "tandem-peers"))
    found = home / "openpi" / "bin" / "python"
    if not found.exists():
        pytest.skip("run launch/peers/setup.sh openpi")
    return str(found)


@pytest.fixture
def their_server(python):
    started = []

    def start(horizon, fault=""):
        command = [python, str(ROOT / "launch/peers/serve_openpi.py"), str(horizon), fault]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True))
        return int(started[-1].stdout.readline())

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize("token", [None, "secret"])
def test_their_client_and_broker_are_served(token, python, ours, spec):
    port = ours("openpi", policy=DummyPolicy(spec, chunks=100), map="droid", horizon=4, token=token).port
    command = [python, str(ROOT / "launch/peers/ask_openpi.py"), str(port), "6", "4", *([token] if token else [])]
    told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout)
    assert told["metadata"] == ["tandem"]
    assert told["shape"] == [4, 4]
    assert told["timing"] == ["infer_ms"]
    assert np.allclose(told["actions"], [*told["whole"], *told["whole"][:2]])
    reached = np.linspace(0.3, 0.4, 3) + 0.2 * np.cumsum(np.array(told["whole"])[:, :3], axis=0)
    assert np.allclose(reached[-1], spec.home, atol=1e-5)  # 3 actions at 15 Hz get there, the fourth holds
    assert told["rtt_ms_p50"] < 100.0


def test_their_client_with_a_wrong_key_is_not_served(python, ours):
    port = ours("openpi", map="droid", horizon=4, token="secret").port
    command = [python, str(ROOT / "launch/peers/ask_openpi.py"), str(port), "6", "4", "wrong"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode != 0
    assert "401" in done.stderr


def test_their_server_moves_our_body(their_server, client, observation):
    policy = client("openpi", their_server(10), map="droid", timeout_s=5.0)
    assert any("reset_pose" in line for line in policy.introduce())
    chunk = policy.infer(observation, HOME)
    assert len(chunk) == 11
    assert np.allclose(np.diff(chunk.actions[:10, 0]), 0.002 * 15 / 20, atol=1e-6)
    assert chunk.actions[0, 3] == pytest.approx(1.0)
    assert chunk.actions[-1, 3] < 0.5


@pytest.mark.parametrize("fault, code", [
    ("slow", FailureCode.TIMEOUT), ("fail", FailureCode.INTERNAL_ERROR), ("object", FailureCode.INVALID_ACTION),
])
def test_their_server_goes_wrong_and_the_next_request_works(fault, code, their_server, client, observation):
    policy = client("openpi", their_server(10, fault), map="droid", timeout_s=1.0)
    policy.infer(observation, HOME)
    with pytest.raises(SkillFailed) as caught:
        policy.infer(observation, HOME)
    assert caught.value.code is code
    if fault == "fail":
        assert "no such prompt: return the arm" in caught.value.detail
    if fault == "slow":
        time.sleep(1.5)  # it computes on the thread that would have to greet
    assert len(policy.infer(observation, HOME)) == 11
