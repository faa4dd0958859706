"""The simulated arm in real time, behind the driver interface."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tandem.bridge.contract import InvalidOption, UnknownName
from tandem.bridge.contract.observation import layout
from tandem.bridge.controller.gateway import START_S
from tandem.bridge.drivers import DriverFault, Setpoint
from tandem.sim.disturbances import disturbance_named
from tandem.sim.plant import SimDriver
from tandem.sim.plant.driver import PATIENCE_S
from tandem.sim.plant.reflex import SILENCE_WORDS

SLOW = np.full(7, 0.15)  # rad/s
REST = np.zeros(7)

HOST = """
import sys, time
from tandem.sim.plant import SimDriver
driver = SimDriver("pick_place", "panda", media=sys.argv[1], session="s", cameras=())
driver.connect()
print(*driver.processes.values(), flush=True)
time.sleep(600)
"""


def test_the_driver_gives_up_before_the_gateway_as_it_knows_what_is_missing():
    assert PATIENCE_S < START_S


def lead(rig, step, seconds):
    """As `rig.lead`, on a machine that may suspend this process for longer than an arm waits."""
    for _ in range(10):
        rig.driver.stop()
        rig.until(lambda: not rig.driver.read().fault)
        errors = rig.lead(step, seconds)
        if not rig.driver.read().fault:
            return errors
        assert rig.driver.read().fault == SILENCE_WORDS
    raise AssertionError("this process was suspended again and again")


def test_it_is_measured_afresh(rig):
    first = rig.driver.read()
    later = rig.until(lambda: (now := rig.driver.read()).t > first.t + 20_000_000 and now)
    assert abs(time.monotonic_ns() - later.t) < 10**9
    assert later.position.shape == later.velocity.shape == (7,)
    assert np.abs(later.position - rig.driver.spec.home).max() < 0.01
    assert 0 < np.abs(later.position - first.position).max() < 1e-3, "encoders are a little noisy"
    assert later.fault == ""


def test_it_says_what_it_is(rig):
    assert rig.driver.extensions == ("reset", "ask")
    assert rig.driver.about["scheduling"].startswith("SCHED_")
    assert {"driver", "task", "robot", "horizon_s", "mujoco"} <= set(rig.driver.about)


def test_it_follows_slow_setpoints(rig):
    rig.ask("reset", seed=1)
    start = rig.driver.read().position
    errors = lead(rig, SLOW, 0.7)
    assert max(errors) < 0.05
    assert np.all(rig.driver.read().position - start > 0.05)


def test_it_stops_by_itself_says_so_and_goes_on_when_told(rig):
    lead(rig, SLOW, 0.3)
    rig.until(lambda: rig.driver.read().fault == SILENCE_WORDS)
    rig.until(lambda: np.abs(rig.driver.read().velocity).max() < 0.02)
    stands = rig.driver.read().position
    rig.driver.write(Setpoint(stands + 0.1, REST, REST, 0.0))
    time.sleep(0.2)
    assert rig.driver.read().fault == SILENCE_WORDS
    assert np.abs(rig.driver.read().position - stands).max() < 0.01, "a write alone moves nothing"
    assert max(lead(rig, -SLOW, 0.3)) < 0.05


def test_a_stop_brakes_and_what_was_written_before_is_not_carried_out(rig):
    lead(rig, SLOW, 0.3)
    rig.driver.write(Setpoint(rig.driver.read().position + 0.3, REST, REST, 0.0))
    rig.driver.stop()
    before = rig.driver.read().position
    time.sleep(0.3)
    assert rig.driver.read().fault == ""
    assert np.abs(rig.driver.read().position - before).max() < 0.05


def test_a_reset_draws_the_world_of_a_simulation(rig, make_simulation):
    simulation = make_simulation(cameras=rig.driver._scenario.cameras)
    for seed in (11, 12):
        observation, info = simulation.reset(seed=seed)
        before = rig.driver.read().generation
        value, error = rig.ask("reset", seed=seed, id=5)
        assert (value, error) == ({**info, "task": "pick_place"}, "")
        assert rig.driver.read().generation == before + 1
        assert np.abs(rig.driver.read().position - rig.driver.spec.home).max() < 0.01
        for name in simulation.world.entities:
            told, target = rig.ask("locate", words=name)[0], simulation.truth().target(name)
            assert np.allclose(told["surface"], target.surface, atol=2e-3)
            assert np.allclose(told["size"], target.size)
    picture = newer(rig, b"image.front")
    assert np.abs(picture.astype(int) - observation["image.front"]).mean() < 3


def newer(rig, topic):
    """The next picture of the present world, as an array."""
    since = rig.driver.read().t
    while True:
        at, header, data = rig.frame()
        if at == topic and header.t > since:
            return np.frombuffer(data, header["dtype"]).reshape(header["shape"])


def test_a_reset_that_cannot_be_is_refused_and_the_arm_goes_on_holding(rig):
    generation = rig.driver.read().generation
    for options in ({"difficulty": 3.0}, {"seed": -1}, {"instruction": "sing"}, {"colour": "red"}):
        value, error = rig.ask("reset", **options)
        assert value is None
        assert error
    assert rig.driver.read().generation == generation
    assert rig.driver.read().fault == ""


def test_pictures_are_what_the_specification_says_and_time_advances(rig):
    shapes = {key: of for key, of in layout(rig.driver.spec).items() if key.startswith(("image.", "depth."))}
    times, counts = {key: [] for key in shapes}, {key: [] for key in shapes}
    while min(map(len, times.values())) < 3:
        topic, header, data = rig.frame()
        key = header["key"]
        assert topic == key.encode()
        shape, dtype = shapes[key]
        assert (header.kind, header.session, header["encoding"]) == ("frame", "s-1", "raw")
        assert header["shape"] == shape
        assert np.dtype(header["dtype"]) == dtype
        assert len(data) == np.prod(shape) * dtype.itemsize
        times[key].append(header.t)
        counts[key].append(header.seq)
    for key in shapes:
        assert sorted(set(times[key])) == times[key]
        assert sorted(set(counts[key])) == counts[key]
    assert set(times["image.front"]) & set(times["depth.wrist"]), "all cameras look at one instant"
    assert times["image.front"][-1] < time.monotonic_ns()


def test_questions_about_the_truth_are_answered(rig):
    rig.ask("reset", seed=3)
    assert rig.ask("success") == (False, "")
    assert rig.ask("progress") == (0.0, "")
    assert rig.ask("infeasible") == (None, "")
    steps, _ = rig.ask("remaining")
    assert [step["skill"] for step in steps] == ["pick", "place"]
    assert rig.ask("holds", subgoal=steps[0], id=7) == (False, "")
    assert rig.ask("holds", subgoal={"skill": "home", "arguments": {}}) == (True, "")
    assert rig.ask("locate", words=steps[0]["arguments"]["object"])[0]["privileged"]
    assert "OBJECT_NOT_FOUND" in rig.ask("locate", words="unicorn")[1]
    assert "locate" in rig.ask("weather")[1]
    for question, arguments in (("holds", {}), ("holds", {"subgoal": {"skill": []}}), ("locate", {"words": 3})):
        value, error = rig.ask(question, **arguments)
        assert value is None
        assert error
    assert rig.ask("reset", seed=3, feasible=False)[1] == ""
    assert isinstance(rig.ask("infeasible")[0], str)
    figures = rig.ask("loop")[0]
    assert figures["turns"] > 100


def test_several_questions_at_once_are_each_answered(rig):
    for number in range(1000, 1060):
        rig.driver.ask(number, "progress", {})
    got = []
    rig.until(lambda: got.extend(rig.driver.answers()) or len(got) >= 60)
    assert sorted(number for number, _, _ in got) == list(range(1000, 1060))
    assert {(value, error) for _, value, error in got} == {(0.0, "")}


def test_a_frozen_arm_is_not_measured_for_a_while(rig):
    assert rig.ask("fault", kind="freeze", seconds=0.5)[1] == ""
    then = rig.driver.read().t
    time.sleep(0.2)
    assert rig.driver.read().t == then
    rig.until(lambda: rig.driver.read().t > then)
    assert rig.driver.read().t - then > 450_000_000


def test_a_stuck_encoder_says_the_same_again_and_again(rig):
    assert rig.ask("fault", kind="stuck_encoder", seconds=0.5)[1] == ""
    rig.until(lambda: rig.driver.read().velocity[0] == 0)
    first = rig.driver.read()
    later = rig.until(lambda: (now := rig.driver.read()).t > first.t and now)
    assert later.position[0] == first.position[0]
    assert later.position[1] != first.position[1]
    rig.until(lambda: rig.driver.read().position[0] != first.position[0])


def test_a_protective_stop_brakes_until_it_is_over_and_acknowledged(rig):
    rig.ask("reset", seed=4)
    lead(rig, SLOW, 0.3)
    assert rig.ask("fault", kind="protective_stop", seconds=0.4)[1] == ""
    rig.until(lambda: "protective" in rig.driver.read().fault)
    rig.driver.stop()
    assert "protective" in rig.driver.read().fault
    rig.until(lambda: not rig.driver.read().fault)
    assert max(lead(rig, -SLOW, 0.3)) < 0.05


def test_a_blind_rig_gives_no_pictures_for_a_while(rig):
    assert rig.ask("fault", kind="blind", seconds=0.6)[1] == ""
    since = rig.driver.read().t
    times = []
    while not times or times[-1] <= since:
        times.append(rig.frame()[1].t)
    assert times[-1] - since > 500_000_000


def test_a_fault_nobody_knows_is_refused(rig):
    assert "protective_stop" in rig.ask("fault", kind="fire")[1]
    assert "seconds" in rig.ask("fault", kind="freeze", seconds=-1)[1]


def test_disturbances_strike_in_the_process_where_they_belong(make_rig):
    rig = make_rig(
        disturb=(
            "moved:earliest_s=0.2,latest_s=0.3", "black_camera:earliest_s=0.2,latest_s=0.3,lasting_s=60", "delayed",
        ),
    )
    rig.driver.connect()
    rig.ask("reset", seed=2)
    rig.until(lambda: {told["name"] for told in rig.ask("struck")[0]} == {"moved", "black_camera", "delayed"})
    assert not newer(rig, b"image.front").any()
    assert newer(rig, b"image.wrist").any()
    errors = lead(rig, SLOW, 0.5)
    assert 0.01 < max(errors) < 0.06, "two control steps and one late"


def test_a_camera_that_was_bumped_and_another_light_are_seen_as_in_lockstep(make_rig, make_simulation):
    disturb = ("camera_shift:shift_m=0.05", "lighting")
    rig = make_rig(disturb=disturb)
    rig.driver.connect()
    rig.ask("reset", seed=2)
    rig.until(lambda: {told["name"] for told in rig.ask("struck")[0]} == {"camera_shift", "lighting"})
    expected, plain = (
        make_simulation(cameras=rig.driver._scenario.cameras, disturbances=wrong).reset(seed=2)[0]["image.front"]
        for wrong in ([disturbance_named(name) for name in disturb], ())
    )
    shown = newer(rig, b"image.front").astype(int)
    assert np.abs(shown - expected).mean() < 3
    assert np.abs(shown - plain).mean() > 20


def test_a_process_that_dies_is_named(make_rig):
    rig = make_rig(cameras=())
    with pytest.raises(DriverFault, match="connect"):
        rig.driver.read()
    rig.driver.connect()
    os.kill(rig.driver.processes["eyes"], signal.SIGKILL)
    rig.until(lambda: "eyes" in rig.ask("success")[1])
    assert rig.driver.read().fault == ""
    os.kill(rig.driver.processes["plant"], signal.SIGKILL)
    with pytest.raises(DriverFault, match="plant process was killed by signal 9"):
        rig.until(lambda: rig.driver.read() is None)
    rig.driver.disconnect()
    rig.driver.disconnect()
    rig.driver.connect()
    assert rig.driver.read().generation == 1
    assert rig.ask("success") == (False, "")


def test_a_process_that_cannot_start_says_why(make_rig):
    rig = make_rig(disturb=("black_camera:camera=nose",))
    with pytest.raises(DriverFault, match=r"(?s)the eyes process ended.*nose"):
        rig.driver.connect()
    assert rig.driver.processes == {}


def test_what_makes_no_sense_is_refused_before_anything_starts():
    where = {"media": "ipc:///tmp/none", "session": "s"}
    with pytest.raises(UnknownName):
        SimDriver("juggle", "panda", **where)
    with pytest.raises(UnknownName):
        SimDriver("pick_place", "panda", disturb=("rain",), **where)
    for option in ({"difficulty": 2.0}, {"camera_hz": 0.0}, {"tick_hz": 333.0}, {"seed": -1}):
        with pytest.raises(InvalidOption):
            SimDriver("pick_place", "panda", **where, **option)


def test_a_setpoint_that_is_no_number_is_refused(rig):
    for position in (np.full(7, np.nan), np.zeros(6)):
        with pytest.raises(DriverFault, match="finite"):
            rig.driver.write(Setpoint(position, REST, REST, 0.0))


def test_the_processes_end_with_the_driver_whatever_it_dies_of(tmp_path):
    host = subprocess.Popen(
        [sys.executable, "-c", HOST, f"ipc://{tmp_path}/media"], stdout=subprocess.PIPE, text=True
    )
    pids = [int(word) for word in host.stdout.readline().split()]
    assert len(pids) == 2
    assert all(map(runs, pids))
    host.kill()
    host.wait()
    host.stdout.close()
    deadline = time.monotonic() + 20
    while any(map(runs, pids)):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def runs(pid: int) -> bool:
    """Neither gone nor only waiting to be buried."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
