"""Processes that train one policy: batches of their own, the same weights, one cache and one folder between them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "policies" / "vla")]
LAUNCH = Path(__file__).parents[2] / "launch"
SMALL = json.dumps({"dim": 16, "heads": 2, "channels": [4, 4], "reading": 1, "writing": 1})


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    from swing import record

    return record(tmp_path_factory.mktemp("log") / "swing.mcap")


def train(folder, log, *options, processes=2):
    """What each process says its weights are after `options` of train.py, and what they printed."""
    told = folder / "told"
    told.mkdir(parents=True, exist_ok=True)
    script = Path(__file__).parent / "train_and_tell.py"
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes), script, told,
        "--data", log, "--folder", folder / "run", "--cache", folder / "cache", "--hold-out", "0", "--batch", "4",
        "--device", "cpu", "--threads", "1", *options,
    ]
    environment = {**os.environ, "PYTHONPATH": str(LAUNCH), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=240, check=False,
                          env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return [load_file(told / f"{rank}.safetensors") for rank in range(processes)], done.stdout


def same(one, other):
    return all(np.array_equal(one[name], other[name]) for name in one)


def test_a_network_is_trained_by_two_and_goes_on(log, tmp_path):
    options = ("--settings", SMALL, "--horizon", "4")
    (first, second), said = train(tmp_path / "two", log, *options, "--steps", "3")
    assert same(first, second)
    assert said.count("frames to learn from") == said.count("done at step") == 1
    (alone,), _ = train(tmp_path / "one", log, *options, "--steps", "3", processes=1)
    assert not same(first, alone)
    (first, second), said = train(tmp_path / "two", log, *options, "--steps", "5", "--rate", "2e-3")
    assert same(first, second)
    assert said.count("rate was 0.001, is 0.002 now") == 1
    about = json.loads((tmp_path / "two" / "run" / "policy" / "policy.json").read_text())["about"]
    assert (about["steps"], about["samples"]) == (5, 5 * 4 * 2)
    assert not list((tmp_path / "two" / "cache").glob("*.part"))


def test_adapters_of_pi0_are_trained_by_two(log, tmp_path):
    from small_pi0 import build

    base = build(tmp_path / "base", statistics=8)
    (first, second), said = train(
        tmp_path, log, "--policy", f"pi0:{base}", "--settings", '{"rank": 2, "dropout": 0.1}', "--steps", "2",
        "--rate", "1e-2")
    assert same(first, second)
    assert said.count("frames to learn from") == 1
    made = json.loads((tmp_path / "run" / "policy" / "adapter.json").read_text())["made"]
    assert (made["steps"], made["samples"]) == (2, 2 * 4 * 2)
