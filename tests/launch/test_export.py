"""The scripts as people run them: an episode becomes a dataset and a log again; what is stopped leaves nothing."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from export import rendered

from tandem.bridge.log import LogReader
from tandem.bridge.log.pictures import digest
from tandem.bridge.robots import load
from tandem.sim.replay import first_difference, load_model
from tandem.sim.scene import Rates
from tandem.sim.world import World

LAUNCH = Path(__file__).parents[2] / "launch"


def command(script, *options):
    return [sys.executable, str(LAUNCH / script), *map(str, options)]


def run(script, *options, code=0):
    done = subprocess.run(command(script, *options), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    """One short episode of each of two seeds."""
    folder = tmp_path_factory.mktemp("runs")
    run("episode.py", "--planner", "scripted", "--no-pictures", "--seed", 3, "--episodes", 2, "--log-dir", folder)
    return sorted(folder.rglob("*.mcap"))


def test_an_episode_becomes_a_dataset_and_a_log_again(logs, tmp_path):
    done = run("export.py", logs[0].parent, "--out", tmp_path / "dataset")
    assert "2, 2 of them successes" in done.stdout
    assert "staleness of front" in done.stdout
    run("import.py", tmp_path / "dataset", "--out", tmp_path / "back")
    for number, path in enumerate(logs):
        log, back = LogReader(path), LogReader(tmp_path / f"back/episode-{number:06d}.mcap")
        np.testing.assert_array_equal(back.actions()[1], log.actions()[1])
        assert back.manifest["instruction"] == log.manifest["instruction"]
        assert back.result["success"]
    for mode in ("policy", "planner", "closed"):
        done = run("replay.py", tmp_path / "back/episode-000000.mcap", "--mode", mode, "--policy", "motion", code=2)
        assert "was imported from a dataset, which says what was done and not which planner and policy" in done.stderr


def test_a_log_that_went_through_hdf5_replays_bit_for_bit(logs, tmp_path):
    run("export.py", logs[0], "--to", "hdf5", "--out", tmp_path / "demos.hdf5")
    run("import.py", tmp_path / "demos.hdf5", "--out", tmp_path / "back")
    back = LogReader(tmp_path / "back/episode-000000.mcap")
    layout, robot = back.state_layout(), load(back.spec.robot)
    world = World(load_model(back.model()[1]), robot, Rates(layout["physics_hz"], layout["control_hz"]))
    states, commands = back.states()[1], back.commands()[1]
    assert first_difference(world, states[:-1], commands[:-1]) is None  # what followed the last is in no dataset


def test_what_is_rendered_is_what_was_looked_at(logs):
    log = LogReader(logs[0])
    seen = {picture.time_s: picture.digest for picture in log.images("front")}
    times = np.array(sorted(seen))
    again = {time_s: digest(image).hex() for time_s, image in zip(times, rendered(log, "front", times), strict=True)}
    assert again == seen


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_export_that_is_stopped_leaves_no_dataset(logs, tmp_path, stop):
    process = subprocess.Popen(
        command("export.py", *logs, "--out", tmp_path / "dataset", "--render"), stderr=subprocess.PIPE, text=True,
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.rglob("*.mp4")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(stop)
    _, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors
    assert process.returncode == (130 if stop != signal.SIGKILL else -signal.SIGKILL)
    assert not (tmp_path / "dataset").exists()
    assert bool(list(tmp_path.iterdir())) is (stop == signal.SIGKILL)


def test_mistakes_are_one_line_and_a_code(logs, tmp_path):
    out = tmp_path / "out"
    for code, words, options in (
        (1, "no episode logs", (tmp_path, "--out", out)),
        (1, "there is no log", (tmp_path / "absent.mcap", "--out", out)),
        (2, "unknown format", (logs[0], "--out", out, "--to", "rlds")),
        (2, "never overwritten", (logs[0], "--out", tmp_path)),
    ):
        done = run("export.py", *options, code=code)
        assert words in done.stderr
        assert len(done.stderr.splitlines()) == 1
    for code, words, options in (
        (1, "there is no dataset", (tmp_path / "absent", "--out", out)),
        (1, "info.json is missing", (tmp_path, "--out", out)),
        (2, "picture format", (tmp_path, "--out", out, "--pictures", "gif")),
    ):
        done = run("import.py", *options, code=code)
        assert words in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("to", ["lerobot", "lerobot-v2.1", "hdf5", "mp4"])
def test_a_disk_that_is_full_is_told_and_nothing_is_left(logs, tmp_path, to):
    limited = ["bash", "-c", 'ulimit -f 64; exec "$@"', "bash"]  # no file larger than 64 KiB
    program = [*limited, *command("export.py", *logs, "--to", to, "--out", tmp_path / "out")]
    done = subprocess.run(program, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith("UnusableDataset: cannot write")
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
