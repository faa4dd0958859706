"""The episode script as people run it: an episode leaves a log that replays bit for bit; bad options are told."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from tandem.bridge.contract import EpisodeResult, EventKind
from tandem.bridge.log import LogReader
from tandem.bridge.robots import load
from tandem.sim.disturbances import DISTURBANCES
from tandem.sim.replay import first_difference, load_model
from tandem.sim.scene import Rates
from tandem.sim.tasks import TASKS
from tandem.sim.world import World

LAUNCH = Path(__file__).parents[2] / "launch"
DEMONSTRATED = ("--planner", "scripted", "--policy", "demonstrator", "--verifier", "predicate")


def run(*options, cwd):
    command = [sys.executable, LAUNCH / "episode.py", *map(str, options)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=300, check=False)


def log_of(folder):
    (path,) = folder.rglob("*.mcap")
    return LogReader(path)


def struck_rows(log):
    """Rows of the logged states that a disturbance changed after its step."""
    times, _ = log.states()
    moments = [event.time_s for event in log.events() if event.kind is EventKind.DISTURBANCE]
    return {int(np.argmin(np.abs(times - moment))) for moment in moments}


def replayed(log):
    """Where the simulation of the logged commands first differs from the logged states."""
    layout, robot = log.state_layout(), load(log.spec.robot)
    world = World(load_model(log.model()[1]), robot, Rates(layout["physics_hz"], layout["control_hz"]))
    return first_difference(world, log.states()[1], log.commands()[1], struck_rows(log))


def test_an_episode_leaves_a_log_a_film_and_a_sheet(tmp_path):
    done = run("--seed", 1, "--log-dir", tmp_path, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "success" in done.stdout
    log = log_of(tmp_path)
    assert log.result["measured"]
    assert log.result["claimed"]
    assert log.manifest["seed"] == 1
    assert log.manifest["system"]["task"] == "pick_place"
    assert not log.result["privileged"]
    assert log.manifest["planner"]["model"]["digest"]
    with av.open(str(log.path.with_suffix(".mp4"))) as film:
        stream = film.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert stream.frames > 20
    assert cv2.imread(str(log.path.with_suffix(".png"))) is not None
    assert replayed(log) is None


@pytest.mark.parametrize("clock", ["real time", "lockstep"])
def test_an_episode_over_the_bridge_leaves_a_log_with_a_picture_of_each_subgoals_end(tmp_path, controller, clock):
    with controller(*(["--lockstep"] if clock == "lockstep" else []), driver="sim") as endpoint:
        done = run("--body", endpoint, "--planner", "scripted", "--seed", 5, "--log-dir", tmp_path, cwd=tmp_path)
    log = log_of(tmp_path)
    assert log.result is not None, done.stdout + done.stderr
    if clock == "lockstep":  # in real time a busy machine may be too late for the arm
        assert done.returncode == 0, done.stdout + done.stderr
    assert log.manifest["model"] is None
    events, (times, _) = list(log.events()), log.commands()
    assert all(0 <= event.time_s <= times[-1] + 1 for event in events)
    ends = [event.time_s for event in events if event.kind is EventKind.SUBGOAL_END]
    pictures = [image.time_s for image in log.images("front")]
    assert all(min(abs(end - taken) for taken in pictures) < 1e-6 for end in ends), (ends, pictures)
    assert cv2.imread(str(log.path.with_suffix(".png"))) is not None


@pytest.mark.parametrize("script", ["episode.py", "check_planner.py"])
def test_help_says_where_a_servers_key_is_read_from(script):
    done = subprocess.run([sys.executable, LAUNCH / script, "--help"], capture_output=True, text=True, check=True)
    assert "OPENAI_API_KEY" in done.stdout


@pytest.mark.parametrize("task", sorted(set(TASKS) - {"pick_place"}))
def test_every_task_replays_bit_for_bit_from_its_log(tmp_path, task):
    done = run(*DEMONSTRATED, "--task", task, "--no-pictures", "--seed", 3, "--log-dir", tmp_path, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    log = log_of(tmp_path)
    assert done.stdout.splitlines()[-1].split() == ["log", str(log.path)]  # also without pictures it says where it is
    assert replayed(log) is None


@pytest.mark.parametrize("trouble", ["moved", "slipped", "delayed"])
def test_a_disturbed_episode_replays_bit_for_bit(tmp_path, trouble):
    run(*DEMONSTRATED, "--disturb", trouble, "--no-pictures", "--seed", 2, "--log-dir", tmp_path, cwd=tmp_path)
    log = log_of(tmp_path)
    assert len(log.commands()[1]) > 50
    assert replayed(log) is None


def test_the_same_seed_gives_the_same_states_in_two_processes(tmp_path):
    states = []
    for name in ("first", "second"):
        options = ("--planner", "scripted", "--task", "stack", "--seed", 5, "--no-pictures")
        run(*options, "--log-dir", tmp_path / name, cwd=tmp_path)
        states.append(log_of(tmp_path / name).states()[1])
    assert np.array_equal(*states)


def test_what_cannot_be_done_is_refused_with_the_reason(tmp_path):
    done = run("--infeasible", "--seed", 4, "--no-record", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "cannot be done" in done.stdout
    assert not list(tmp_path.rglob("*.mcap"))


def test_any_planner_over_a_model_is_logged_with_its_exchanges_and_is_not_privileged(tmp_path):
    done = run("--planner", "babble", "--verifier", "both", "--no-pictures", cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr  # what is said at random does nothing
    log = log_of(tmp_path)
    plans = [plan for _, plan in log.plans()]
    assert log.manifest["planner"]["model"]["id"] == "babbler"
    assert [call["kind"] for call in plans[0]["calls"]] == ["perceive", "plan"]
    assert not plans[0]["privileged"]


@pytest.mark.parametrize(("options", "message"), [
    (("--task", "pick_plaice"), "pick_place"),
    (("--robot", "pandas"), "panda"),
    (("--planner", "oracle"), "scripted"),
    (("--policy", "act"), "demonstrator"),
    (("--planner", "openai:nowhere"), "openai:http"),
    (("--planner", "cassette:tape.mcap"), "no log 'tape.mcap'"),
    (("--perceiver", "scripted"), "has no eyes"),
    (("--verifier", "nobody"), "observation"),
    (("--planner", "scripted", "--verifier", "judge"), "has no eyes"),
    (("--body", "tcp://nowhere"), "sim"),
    (("--disturb", "earthquake"), "knocked"),
    (("--clock", "charged"), "charged:MS|charged:250"),
    (("--difficulty", "2"), "between 0"),
    (("--horizon-s", "-1"), "--horizon-s is a positive number of seconds, got -1.0"),
    (("--horizon-s", "nan"), "--horizon-s is a positive number of seconds, got nan"),
    (("--horizon-s", "inf"), "--horizon-s is a positive number of seconds, got inf"),
    (("--control-hz", "30"), "whole multiple"),
    (("--episodes", "0"), "at least 1"),
    (("--temperature", "nan"), "finite temperature"),
    (("--seed", "-1"), "at least 0"),
    (("--instruction", ""), "empty"),
    (("--instruction", "make me a sandwich"), "put the red cube in the blue bin"),
])  # fmt: skip
def test_a_bad_option_says_what_would_have_worked(tmp_path, options, message):
    done = run(*options, "--log-dir", tmp_path / "runs", cwd=tmp_path)
    assert done.returncode == 2
    assert re.search(message, done.stderr + done.stdout)
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.rglob("*.mcap"))


def test_a_log_folder_that_cannot_be_written_is_refused_before_anything_moves(tmp_path):
    blocked = tmp_path / "runs"
    blocked.write_text("a file, not a folder")
    done = run("--log-dir", blocked, cwd=tmp_path)
    assert done.returncode == 2
    assert "LogUnwritable" in done.stderr
    assert "--log-dir" in done.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_log_folder_is_refused(tmp_path):
    (tmp_path / "runs").mkdir(mode=0o500)
    done = run("--log-dir", tmp_path / "runs", cwd=tmp_path)
    assert done.returncode == 2
    assert "LogUnwritable" in done.stderr


def figures_of(folder, *options):
    figures = folder / "figures.json"
    command = [sys.executable, LAUNCH / "benchmark.py", "tasks", *options, "--tasks", "pick_place", "--json", figures]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(figures.read_text())


def test_every_disturbance_strikes_while_it_matters(tmp_path):
    written = figures_of(tmp_path, "--seeds", "4", "--sections", "disturbances")
    struck = {name: rate for name, rate in written.items() if name.startswith("struck_")}
    assert len(struck) == len(DISTURBANCES)
    assert min(struck.values()) >= 0.75
    assert written["false_success"] == 0.0


def test_benchmark_of_tasks_writes_flat_figures(tmp_path):
    written = figures_of(tmp_path, "--seeds", "2", "--sections", "tasks", "infeasible")
    assert written["success_pick_place"] == 1.0
    assert written["infeasible_recognised"] == 1.0
    assert written["false_success"] == 0.0
    assert written["episodes"] == 4


def test_why_an_episode_did_not_even_begin_is_said(capsys):
    from console import Console
    from episode import told

    result = EpisodeResult(
        False, None, None, False, "BODY_STOPPED", "a hand in the way", None, (), 0, 0, 0.0, 0.1, False)
    assert told(Console(1.0), result) is result
    assert capsys.readouterr().err == "BODY_STOPPED: a hand in the way\n"
