"""A log's commands on a body: nothing jumps, another arm is refused before anything moves, a stuck one is given up."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from replaying.on_body import FOLLOWING_RAD, approach, finding, replay_on, write_overlay

from tandem.bridge.conformance import DummyBody, dummy_spec
from tandem.bridge.contract import BodyStopped, EpisodeStart, InvalidOption, SpecMismatch, Step
from tandem.bridge.log import LogReader, Recorder

LAUNCH = Path(__file__).parents[2] / "launch"
SPEC = dummy_spec()


def command(k):
    joints = SPEC.home + 0.27 * np.sin(k / 16) * np.array([1, -1, 1])
    return np.append(np.clip(joints, SPEC.position_low, SPEC.position_high), 1.0)


@pytest.fixture
def log(tmp_path):
    """Eighty steps; after the first twenty the arm is far from where a body stands at its start."""
    body = DummyBody()
    with Recorder(tmp_path / "episode.mcap") as recorder:
        before, _ = body.reset(seed=0)
        recorder.on_episode_start(EpisodeStart("wander", body.spec, before, {"seed": 0}))
        for k in range(80):
            after, _, _, _, info = body.step(command(k))
            recorder.on_step(Step(k, before, command(k), info.get("command", command(k)), after))
            before = after
    return tmp_path / "episode.mcap"


def run(body, log, *, first_step=20):
    reader = LogReader(log)
    path = log.with_name("again.mcap")
    with Recorder(path) as recorder:
        replayed = replay_on(body, reader, recorder, first_step=first_step)
    return replayed, LogReader(path)


def test_the_first_pose_is_approached_slowly_and_every_command_follows(log):
    replayed, again = run(DummyBody(), log)
    assert replayed.ended == ""
    assert len(replayed.times) == 60
    _, actions = again.actions()
    speed = np.abs(np.diff(actions[:, :-1], axis=0)) * SPEC.control_hz
    eased = len(actions) - 60
    assert np.all(speed[: eased - 1] <= 0.21 * SPEC.velocity_limit), "slow on the way to the first pose"
    assert np.allclose(actions[eased - 1], actions[eased]), "and at rest there"
    assert np.array_equal(actions[eased:], LogReader(log).commands()[1][20:])
    assert finding(replayed, SPEC).ok


def test_it_can_begin_anywhere(log):
    replayed, _ = run(DummyBody(), log, first_step=55)
    assert len(replayed.times) == 25
    assert replayed.times[0] == pytest.approx(55 * SPEC.dt_s)


def test_a_log_that_lacks_steps_is_refused_before_anything_moves(log, tmp_path, without_steps):
    class Still(DummyBody):
        def reset(self, **_):
            raise AssertionError("it moves")

    lacking = without_steps(log, tmp_path / "lacking.mcap", range(30, 45))
    for first_step in (0, 60):
        with pytest.raises(InvalidOption, match="lacks the control steps 30 to 44"):
            run(Still(), lacking, first_step=first_step)
        lacking.with_name("again.mcap").unlink(missing_ok=True)


def test_an_approach_is_at_rest_at_both_ends_and_a_long_one_is_refused():
    start, goal = np.append(SPEC.position_low, 0.0), np.append(SPEC.position_high, 1.0)
    path = approach(start, goal, replace(SPEC, velocity_limit=SPEC.velocity_limit * 0 + 1.0))
    assert np.array_equal(path[-1], goal)
    assert np.abs(path[0] - start).max() < 1e-3
    with pytest.raises(InvalidOption, match="bring the arm nearer"):
        approach(start, goal, replace(SPEC, velocity_limit=SPEC.velocity_limit * 0 + 0.01))


class Stuck(DummyBody):
    """Does not move any more after some steps."""

    def __init__(self, after):
        super().__init__()
        self.told, self._after, self._first = [], after, None

    def step(self, action):
        self.told.append(np.array(action))
        observation, *rest = super().step(action)
        if len(self.told) == self._after:
            self._first = np.array(observation["joint_position"])
        if len(self.told) > self._after:
            observation = dict(observation) | {"joint_position": self._first}
        return observation, *rest


def test_an_arm_that_does_not_follow_is_given_up_and_told_to_stand(log):
    body = Stuck(after=10)
    replayed, _ = run(body, log)
    assert "given up" in replayed.ended
    assert np.abs(body.told[-1][:-1] - body._first).max() < 1e-9, "the last command is where it stands"
    assert np.abs(body.told[-2][:-1] - body._first).max() > FOLLOWING_RAD
    assert not finding(replayed, SPEC).ok


class Stopping(DummyBody):
    """A body whose controller stops it."""

    def step(self, action):
        raise BodyStopped("a hand in the cell")


def test_what_stops_the_body_is_said(log):
    replayed, _ = run(Stopping(), log)
    assert "a hand in the cell" in replayed.ended
    assert finding(replayed, SPEC).verdict.startswith("not comparable")


class Other(DummyBody):
    """Another arm."""

    def __init__(self):
        super().__init__()
        self.spec = replace(self.spec, robot="another")
        self.moved = False

    def reset(self, **options):
        self.moved = True
        return super().reset(**options)


def test_another_arm_is_refused_before_anything_is_asked_of_it(log):
    body = Other()
    with pytest.raises(SpecMismatch, match="another"):
        run(body, log)
    assert not body.moved


def test_the_script_over_the_bridge(log, tmp_path):
    controller = subprocess.Popen([sys.executable, LAUNCH / "controller.py", "--driver", "dummy", "--port", "0"],
                                  stdout=subprocess.PIPE, text=True)
    try:
        endpoint = re.search(r"tcp://\S+?(?=,)", controller.stdout.readline())[0]
        command = [sys.executable, LAUNCH / "replay.py", log, "--from", "20", "--body", endpoint]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    finally:
        controller.terminate()
        controller.wait()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "60 commands carried out" in done.stdout
    overlay = (tmp_path / "episode.on-body.svg").read_text()
    assert overlay.count("<polyline") == 3 * SPEC.action.size
    assert sum(1 for _ in LogReader(tmp_path / "episode.on-body.mcap").steps()) > 60


def test_the_overlay_holds_what_was_commanded_measured_and_logged(log, tmp_path):
    replayed, _ = run(DummyBody(), log)
    write_overlay(replayed, SPEC, tmp_path / "overlay.svg")
    drawn = (tmp_path / "overlay.svg").read_text()
    assert all(word in drawn for word in ("logged", "commanded", "measured", *SPEC.joint_names))
