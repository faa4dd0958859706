"""When an arm follows and when it stops by itself; what drives, brakes and disturbances make of setpoints."""

import numpy as np
import pytest

from tandem.bridge.contract import InvalidOption, UnknownName
from tandem.bridge.robots import load
from tandem.sim.cameras import DEFAULT_CAMERAS
from tandem.sim.disturbances import Disturbance, disturbance_named
from tandem.sim.plant.actuator import Actuator
from tandem.sim.plant.exchange import Command
from tandem.sim.plant.interference import Interference
from tandem.sim.plant.placement import Placement
from tandem.sim.plant.reflex import SILENCE_WORDS, Reflex
from tandem.sim.plant.scenario import Scenario, for_eyes, for_plant
from tandem.sim.plant.trouble import Trouble

TICK = 2_000_000
HOME = np.zeros(2)


class Arm:
    """A reflex, its commands and its clock."""

    def __init__(self):
        self.reflex, self.now, self.writes, self.stops, self.live = Reflex(TICK), 0, 0, 0, False

    def write(self):
        self.writes, self.live = self.writes + 1, True

    def stop(self):
        self.stops, self.live = self.stops + 1, False

    def turns(self, n: int, *, writing: bool = False) -> list[bool]:
        follows = []
        for _ in range(n):
            self.now += TICK
            if writing:
                self.write()
            command = Command(HOME, 0.0, self.writes, self.stops, self.live) if self.writes or self.stops else None
            follows.append(self.reflex.follows(command, self.now))
        return follows


def test_an_arm_that_was_never_told_anything_holds_without_a_fault():
    arm = Arm()
    assert not any(arm.turns(1000))
    assert arm.reflex.fault == ""


def test_silence_stops_it_until_that_is_acknowledged():
    arm = Arm()
    assert all(arm.turns(10, writing=True))
    follows = arm.turns(40)
    assert follows == [True] * 25 + [False] * 15  # 50 ms
    assert arm.reflex.fault == SILENCE_WORDS
    assert not any(arm.turns(10, writing=True)), "writes alone do not wake it"
    arm.stop()
    assert not any(arm.turns(100))
    assert arm.reflex.fault == ""
    assert all(arm.turns(10, writing=True))


def test_its_own_absence_is_no_silence():
    arm = Arm()
    arm.turns(3, writing=True)
    arm.now += 10**9
    assert all(arm.turns(2))


def test_after_a_stop_only_a_later_write_counts():
    arm = Arm()
    arm.turns(3, writing=True)
    arm.write()
    arm.stop()
    assert not any(arm.turns(100))
    assert arm.reflex.fault == "", "a stop is no silence"
    arm.stop()
    arm.write()
    assert all(arm.turns(1))


def test_a_fault_lasts_until_its_cause_is_gone_and_it_was_acknowledged():
    arm = Arm()
    arm.turns(3, writing=True)
    arm.reflex.trip("pinched", until=arm.now + 50 * TICK)
    arm.stop()
    assert not any(arm.turns(40, writing=True))
    assert arm.reflex.fault == "pinched"
    arm.turns(20)
    assert arm.reflex.fault == ""
    arm.reflex.trip("pinched again")
    arm.turns(20)
    assert arm.reflex.fault == "pinched again"


@pytest.mark.parametrize("robot", ["panda", "so101"])
def test_brakes_keep_to_the_acceleration_limits_and_the_range(robot):
    spec, tick_s = Scenario("pick_place", robot, 0.5, (), 500.0, 20.0, ()).spec(), 0.002
    actuator = Actuator(spec, tick_s)
    inwards = np.sign(spec.position_low + spec.position_high - 2 * spec.home)
    start, goal = np.append(spec.home, 1.0), np.append(spec.home + inwards * spec.velocity_limit * 0.05, 0.0)
    for k in range(50):
        actuator.follow(start + (goal - start) * k / 50)
    opening, positions = actuator.action[-1], [actuator.action[:-1]]
    speed = actuator.velocity
    while not actuator.standing:
        positions.append(actuator.brake()[:-1])
        assert len(positions) < 1000
    velocities = np.vstack([speed, np.diff(positions, axis=0) / tick_s])
    assert np.all(np.abs(np.diff(velocities, axis=0)) / tick_s <= spec.acceleration_limit * (1 + 1e-9))
    assert actuator.action[-1] == opening
    assert np.array_equal(actuator.brake(), actuator.brake())
    actuator.rest_at(np.append(spec.position_high, 0.0))
    actuator.velocity = spec.velocity_limit.copy()
    while not actuator.standing:
        assert np.all(actuator.brake()[:-1] <= spec.position_high)


def test_the_drives_are_late_and_arrive():
    spec = Scenario("pick_place", "panda", 0.5, (), 500.0, 20.0, ()).spec()
    actuator, goal = Actuator(spec, 0.002), np.append(spec.home + 0.01, 0.0)
    begin = actuator.action
    assert np.array_equal(actuator.follow(goal), begin)
    assert np.array_equal(actuator.follow(goal), begin)
    assert not np.array_equal(actuator.follow(goal), begin)
    for _ in range(100):
        actuator.follow(goal)
    assert np.allclose(actuator.action, goal, atol=1e-8)


class Late(Disturbance):
    """Each command a control step late."""

    def __init__(self):
        self.kept = np.zeros(1)

    def command(self, action):
        was, self.kept = self.kept, action
        return was


def test_disturbed_commands_are_asked_for_once_a_control_step_and_ramped():
    plain, late = Interference([], 5), Interference([Late()], 5)
    for interference in (plain, late):
        interference.rest_at(np.zeros(1))
    assert [float(plain.apply(np.array([float(k)]))[0]) for k in range(3)] == [0, 1, 2]
    out = [float(late.apply(np.array([1.0]))[0]) for _ in range(15)]
    assert np.allclose(out, [0] * 5 + [0.2, 0.4, 0.6, 0.8, 1] + [1] * 5)
    for _ in range(10):
        late.hold(np.array([3.0]))
    assert np.allclose([late.apply(np.array([3.0]))[0] for _ in range(10)], 3.0), "nothing of before comes after a stop"


def test_each_disturbance_acts_where_it_belongs_and_keeps_its_place():
    names = ("moved", "frozen_camera", "noise", "delayed")
    all_of_them = [disturbance_named(name) for name in names]
    assert [d.name for d in for_plant(all_of_them)] == ["moved", "none", "noise", "delayed"]
    assert [d.name for d in for_eyes(all_of_them)] == ["none", "frozen_camera", "noise", "none"]


def test_a_scenario_goes_to_other_processes_as_plain_data():
    scenario = Scenario("stack", "ur5e", 0.25, ("moved",), 500.0, 20.0, DEFAULT_CAMERAS)
    assert Scenario.from_dict(scenario.to_dict()) == scenario
    assert scenario.dof == len(load("ur5e").home)


@pytest.mark.parametrize(
    "options, words",
    [({"seed": -1}, "seed"), ({"seed": "x"}, "seed"), ({"difficulty": "hard"}, "difficulty"),
     ({"instruction": 5}, "instruction"), ({"feasible": 1}, "feasible"), ({"colour": "red"}, "colour")],
)
def test_a_reset_with_options_without_a_meaning_is_refused(options, words):
    with pytest.raises(InvalidOption, match=words):
        Placement.of(options)


def test_a_reset_without_options_draws_a_seed():
    assert Placement.of({"id": 3, "seed": None, "instruction": None}).options == {}
    assert Placement.of({}).seed != Placement.of({}).seed


def test_faults_on_request_are_checked():
    assert Trouble.of({"kind": "freeze"}).until(0) == 10**9
    with pytest.raises(UnknownName, match="protective_stop"):
        Trouble.of({"kind": "fire"})
    for seconds in (0, -1, float("nan"), "x", 1e9):
        with pytest.raises(InvalidOption, match="seconds"):
            Trouble.of({"kind": "freeze", "seconds": seconds})
