"""Each layer of a logged episode does again what it did; what is tampered with is found in its layer, at its step."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from composition import Rig, System
from replaying import layers
from replaying.branch import Fork, forked
from replaying.logged import Logged
from replaying.no_return import Chance, NoReturn, search

from tandem.agent.evaluation.divergence import Status
from tandem.agent.replay.observations import LoggedObservations
from tandem.agent.replay.open_loop import policy_finding
from tandem.agent.replay.plans import Asked, ask_again, asked, planner_finding
from tandem.bridge.contract import CameraPoint, InvalidOption, LogUnreadable, Plan, PlanRequest, Subgoal
from tandem.bridge.log import LogReader, Recorder
from tandem.bridge.log.pictures import PicturePolicy, encode_image
from tandem.sim.tasks import TASKS

SCRIPT = Path(__file__).parents[2] / "launch" / "replay.py"
EXACT, DIVERGED = Status.EXACT, Status.DIVERGED


def record(path, seed=3, **options):
    rig = Rig(System(planner="scripted", **options))
    try:
        with Recorder(path, **rig.stage.keeps()) as recorder:
            return rig.run(seed, subscribers=[recorder])
    finally:
        rig.close()


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    path = tmp_path_factory.mktemp("log") / "episode.mcap"
    assert record(path).success
    return path


def verdicts(path, changes=None):
    return {one.layer: one for one in layers.all_layers(Logged(path), changes or {}, -1)}


def test_every_layer_does_again_what_it_did(log):
    found = verdicts(log)
    assert {name: one.status for name, one in found.items()} == dict.fromkeys(
        ("state", "rendering", "physics", "policy", "planner"), EXACT)
    (closed,) = layers.closed(Logged(log), {})
    assert closed.status is EXACT
    assert closed.facts["success_now"] is True


def test_an_executor_asked_again_does_what_it_did_if_its_time_was_charged(tmp_path):
    for name, clock, status in (("charged", "charged:200", EXACT), ("live", "live", Status.INCOMPARABLE)):
        path = tmp_path / f"{name}.mcap"
        assert record(path, policy="demonstrator", verifier="predicate", executor="async", clock=clock).success
        (found,) = layers.policy(Logged(path), {})
        assert found.status is status, found.words


@pytest.mark.parametrize("task", sorted(TASKS))
def test_a_log_certifies_itself_and_closed_replay_agrees(task, tmp_path):
    path = tmp_path / "episode.mcap"
    record(path, seed=11, task=task, policy="demonstrator", verifier="predicate")
    assert LogReader(path).result["certificate"]["verdict"] == "bit-exact"
    assert layers.physics(Logged(path))[0].status is EXACT
    assert layers.closed(Logged(path), {})[0].status is EXACT


def test_a_disturbed_episode_replays_and_says_what_was_restored(tmp_path):
    path = tmp_path / "episode.mcap"
    record(path, seed=4, disturb=("moved", "knocked"))
    (physics,) = layers.physics(Logged(path))
    assert physics.status is EXACT
    assert len(physics.facts["restored_after_disturbances"]) == 2
    assert "2 of them restored from the log after disturbances" in physics.words
    assert LogReader(path).result["certificate"]["verdict"] == "bit-exact"


def test_where_every_step_is_restored_nothing_is_compared(log):
    logged = Logged(log)
    logged.struck = frozenset(range(1, len(logged.states)))
    for first_step in (-1, 0, 20):
        (physics,) = layers.physics(logged, first_step)
        assert physics.status is Status.INCOMPARABLE
        assert "nothing is left to compare" in physics.verdict
    logged.struck = logged.struck - {30}
    assert layers.physics(logged)[0].status is EXACT


# --- each layer tampered with ---


def test_another_state_is_the_physics_fault_at_its_step(log, tmp_path, altered):
    def push(state):
        state.values[1 + 7 + 2] += 0.004  # time, then positions: something of the gripper or beyond

    found = verdicts(altered(log, tmp_path / "other.mcap", "/sim/state", 41, push))
    assert (found["physics"].status, found["physics"].step) == (DIVERGED, 40)
    assert found["policy"].status is EXACT
    assert found["planner"].status is EXACT


def test_another_command_is_the_physics_fault_from_its_step_on(log, tmp_path, altered):
    def bend(command):
        command.values[0] += 0.05

    (found,) = layers.physics(Logged(altered(log, tmp_path / "other.mcap", "/command", 25, bend)))
    assert (found.status, found.step) == (DIVERGED, 25)
    assert found.rows[0].first == 25
    assert found.rows[0].unit == "rad"


def test_another_picture_is_found_by_its_hash_and_by_its_content(log, tmp_path, altered):
    logged = LogReader(log)
    first = next(iter(logged.images("front")))
    step = int(np.argmin(np.abs(logged.states()[0] - first.time_s))) - 1
    other = encode_image(255 - first.array, PicturePolicy())

    def paint(message):
        message.data = other

    found = verdicts(altered(log, tmp_path / "other.mcap", "/obs/front", 0, paint))
    assert (found["rendering"].status, found["rendering"].step) == (DIVERGED, step)
    assert {found[name].status for name in ("state", "physics", "policy", "planner")} == {EXACT}

    def claim(message):
        message.digest = b"\0" * 32

    again = verdicts(altered(log, tmp_path / "another.mcap", "/seen", 0, claim))
    assert again["rendering"].step == step


def test_another_action_is_the_policys_fault_at_its_step(log, tmp_path, altered):
    def turn(action):
        action.values[2] += 0.02

    found = verdicts(altered(log, tmp_path / "other.mcap", "/action", 33, turn))
    assert (found["policy"].status, found["policy"].step) == (DIVERGED, 33)
    assert [row.name for row in found["policy"].rows if row.first is not None] == ["joint3"]
    assert found["policy"].rows[0].peak == pytest.approx(0.02)
    assert found["physics"].status is EXACT


class Claims:
    """A policy that moves as another one does and claims to be done as it is told to."""

    def __init__(self, policy, claims):
        self._policy, self._claims, self.skills = policy, claims, policy.skills

    def reset(self, epoch):
        self._policy.reset(epoch)

    def infer(self, observation, subgoal):
        chunk = self._policy.infer(observation, subgoal)
        return replace(chunk, final=self._claims(chunk))


@pytest.mark.parametrize(("claims", "name"), [(lambda _: False, "not_done"), (lambda _: True, "done_early")])
def test_a_policy_that_is_done_elsewhere_does_not_do_the_same(log, claims, name):
    logged = Logged(log)
    with layers.rig_of(logged, {"policy": logged.system({}).policy}) as rig:
        source, _ = logged.source(rig)
        given = (Claims(rig.make_policy(), claims), logged.reader, source, rig.body.spec)
        found = policy_finding(*given)
        assert found.status is DIVERGED
        assert found.step == min(found.facts[name])
        later = policy_finding(*given, first_step=found.step + 1)
        assert later.step is None or later.step > found.step


def test_another_policy_is_compared_in_radians(log):
    (found,) = layers.policy(Logged(log), {"policy": "demonstrator"})
    assert found.status is not EXACT
    assert max(found.facts["mean_error"].values()) > 1e-4
    assert set(found.facts["mean_error"]) == set(LogReader(log).spec.action.names)
    assert {row.unit for row in found.rows} == {"rad", "opening"}


def test_another_plan_is_the_planners_fault_at_its_call(log, tmp_path, altered):
    number = [event.kind for event in LogReader(log).events()].index("plan")

    def swap(data):
        event = json.loads(data)
        event["data"]["subgoals"][0]["arguments"]["object"] = "brown shoe"
        return json.dumps(event).encode()

    found = verdicts(altered(log, tmp_path / "other.mcap", "/event/data", number, swap))
    assert (found["planner"].status, found["planner"].step) == (DIVERGED, -1)
    assert "brown shoe" in found["planner"].words
    assert found["physics"].status is EXACT


def test_closed_replay_of_another_system_says_at_which_step_and_what_came_of_it(log):
    (found,) = layers.closed(Logged(log), {"policy": "demonstrator"})
    assert found.status is not EXACT
    assert found.step < 40
    assert found.facts["success_then"]


def test_another_outcome_than_the_one_logged_is_no_exact_replay(log):
    logged = Logged(log)
    for field, other in (("success", False), ("claimed", False), ("seen", None), ("failure", "GRASP_FAILED")):
        result = LogReader(log).result
        logged.reader.result = result | {field: other}
        (found,) = layers.closed(logged, {})
        assert (found.status, found.step) == (DIVERGED, result["steps"])
        assert f"{field}" in found.words


def test_a_point_in_another_picture_is_told_in_words_and_in_json():
    def step(camera):
        return Plan((Subgoal("pick", {"object": "cube", "point": CameraPoint(camera, 3.0, 4.0)}),))

    class Fixed:
        def plan(self, request):
            return step("wrist")

    class Source:
        def at(self, row):
            return {}

    request = PlanRequest("pick the cube", {}, ("pick",), (), ("front", "wrist"))
    found = planner_finding(ask_again(Fixed(), [Asked(0, -1, step("front"), ())], Source(), request))
    assert found.verdict == "diverged at the start"
    assert "in another camera's picture" in found.words
    json.dumps(found.to_dict(), allow_nan=False)


# --- bad input ---


@pytest.mark.parametrize(("what", "words"), [
    ("version", "mujoco 2.0.0 !="), ("mask", "state mask 7 !="), ("none", "no simulator state"),
])
def test_what_cannot_be_compared_is_said_and_the_rest_is_asked(log, what, words):
    logged = Logged(log)
    layout = logged.reader.manifest["state_layout"]
    if what == "version":
        layout["mujoco"] = "2.0.0"
    elif what == "mask":
        layout["signature"] = 7
    else:
        del logged.reader.channels["/sim/state"]
    for layer in (layers.physics, layers.state):
        assert layer(logged)[0].status is Status.INCOMPARABLE
        assert words in layer(logged)[0].verdict
    (policy,) = layers.policy(logged, {})
    assert policy.status is not Status.INCOMPARABLE
    assert "pictures as logged" in policy.words
    with pytest.raises(InvalidOption, match="cannot be gone on from"):
        forked(logged, Fork(0, {}))


def test_the_script_prints_writes_and_exits(log, tmp_path):
    told = tmp_path / "verdict.json"
    done = subprocess.run([sys.executable, SCRIPT, log, "--json", told], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(json.loads(told.read_text())["verdicts"].values()) == {"bit-exact"}
    done = subprocess.run([sys.executable, SCRIPT, log, "--from", "99999"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "this log has the steps" in done.stderr
    (tmp_path / "bad.mcap").write_bytes(b"nothing")
    done = subprocess.run([sys.executable, SCRIPT, tmp_path / "bad.mcap"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("LogUnreadable")


def test_a_log_that_ends_within_a_step_is_compared_up_to_the_one_before(log):
    logged = Logged(log)
    times, states = logged.reader.states()
    logged._table = times[:-1], states[:-1]  # the cut came between the last measurement and its state
    assert layers.state(logged)[0].status is EXACT
    assert layers.physics(logged)[0].status is EXACT


def test_steps_that_are_missing_are_no_fault_of_policy_or_physics(log, tmp_path, without_steps):
    found = verdicts(without_steps(log, tmp_path / "lacking.mcap", range(40, 44)))
    for layer in ("state", "physics", "policy"):
        assert found[layer].status is Status.INCOMPARABLE
        assert "the control steps 40 to 43 are missing" in found[layer].verdict
    source = LoggedObservations(LogReader(tmp_path / "lacking.mcap"))
    for row in (0, 40, 45, 60):
        there = next(one for one in LogReader(log).measurements() if one.index == row - 1)
        np.testing.assert_array_equal(source.at(row)["joint_position"], there.joint_position)
    with pytest.raises(LogUnreadable, match="no row 42"):
        source.at(42)


def test_a_planner_is_shown_what_it_was_shown_not_what_came_while_it_thought(tmp_path, without_steps):
    path = tmp_path / "charged.mcap"
    assert record(path, task="conveyor", policy="demonstrator", verifier="predicate", clock="charged:500").success
    for logged in (Logged(path), Logged(without_steps(path, tmp_path / "lacking.mcap", range(8, 12)))):
        first, last = asked(logged.reader)
        assert (first.step, last.step) == (-1, logged.reader.result["steps"] - 11)
    (found,) = layers.planner(Logged(path), {})
    assert found.status is EXACT, found.words


# --- branches ---


def test_a_branch_without_changes_is_the_episode_itself(log):
    logged = Logged(log)
    rig = forked(logged, Fork(30, {}))
    try:
        course = rig.branch(30, 0)
        assert course.success
        assert course.deviated is None
        assert course.steps == logged.reader.result["steps"] - 30
        assert np.array_equal(rig.stage.body.state(), logged.states[-1])
        other = rig.branch(30, 1)
        assert not np.array_equal(rig.stage.body.state(), logged.states[-1])
        assert other.deviated is None
    finally:
        rig.close()


@pytest.mark.parametrize("fork", [
    Fork(30, {"disturb": ("slipped",)}), Fork(30, {"planner": "scripted"}), Fork(0, {"policy": "demonstrator"}),
])
def test_a_branch_goes_on_with_what_was_exchanged(log, fork):
    rig = forked(Logged(log), fork)
    try:
        course = rig.branch(fork.step, 1)
        assert course.success
        assert course.deviated is None
        assert not np.array_equal(rig.stage.body.state(), Logged(log).states[-1])
    finally:
        rig.close()


def test_a_step_that_the_log_does_not_have_is_refused(log):
    with pytest.raises(InvalidOption, match="this log has the steps"):
        forked(Logged(log), Fork(10_000, {}))
    with pytest.raises(LogUnreadable):
        Logged(log.with_name("none.mcap"))


@pytest.mark.parametrize(("lost_after", "resolution"), [(0, 1), (37, 1), (99, 1), (60, 8)])
def test_the_point_of_no_return_is_found_by_bisection(lost_after, resolution):
    asked = []

    def chance_at(step):
        asked.append(step)
        return Chance(step, 5 if step <= lost_after else 1, 5)

    found = search(chance_at, 100, resolution)
    assert found.step <= lost_after < found.step + found.exact_to
    assert found.exact_to <= resolution
    assert len(asked) <= 9
    assert [chance.step for chance in found.curve] == sorted(asked)


def test_an_episode_that_was_never_likely_or_never_lost_says_so():
    assert search(lambda step: Chance(step, 0, 5), 100, 5) == NoReturn(None, 0, (Chance(0, 0, 5),))
    assert search(lambda step: Chance(step, 5, 5), 100, 5).words == "success was still likely from the last step, 100"


def test_an_episode_without_a_step_can_be_gone_through(tmp_path):
    path = tmp_path / "episode.mcap"
    rig = Rig(System(planner="scripted"))
    try:
        with Recorder(path, **rig.stage.keeps()) as recorder:
            assert rig.run(3, feasible=False, subscribers=[recorder]).success
    finally:
        rig.close()
    found = verdicts(path)
    assert {found[name].status for name in ("state", "physics", "planner")} == {EXACT}
    assert found["policy"].verdict == "not comparable: no step was taken in this episode"
    assert layers.closed(Logged(path), {})[0].status is EXACT
