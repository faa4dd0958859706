"""The simulated body: the laws of a `Body`, and refusals that leave no trace."""

import numpy as np
import pytest

from tandem.bridge.conformance import check_body
from tandem.bridge.contract import InvalidAction, InvalidOption, PhysicsDiverged, StaleObservation, UnknownName
from tandem.bridge.robots import load
from tandem.sim.scene import Rates
from tandem.sim.tasks import task_named


@pytest.mark.parametrize("robot", ["panda", "ur5e", "so101"])
def test_it_satisfies_the_laws_of_a_body(make_simulation, robot):
    check_body(lambda: make_simulation(robot=robot))


def bad_actions(spec):
    rest = np.append(spec.home, 1.0)
    for where in (0, -1):
        for value in (np.nan, np.inf, -np.inf, 100.0):
            yield np.concatenate([rest[:where], [value], rest[where:][1:]])
    yield from (rest[:-1], np.append(rest, 0.0), rest[None], np.float64(0.5), "home", None)


def test_a_bad_action_is_refused_and_nothing_moves(make_simulation, wander):
    simulation = make_simulation()
    simulation.reset(seed=3)
    for action in wander(simulation, 5):
        observation, *_ = simulation.step(action)
    before = simulation.state()
    for bad in bad_actions(simulation.spec):
        with pytest.raises(InvalidAction):
            simulation.step(bad)
        assert np.array_equal(simulation.state(), before)
    assert observation["image.front"].any(), "the picture of now is still to be had"


def test_steps_before_reset_and_after_close_are_refused(make_simulation):
    simulation = make_simulation()
    for _ in range(2):
        with pytest.raises(InvalidAction, match="reset first"):
            simulation.step(np.append(simulation.spec.home, 1.0))
        with pytest.raises(InvalidOption):
            simulation.truth().success()
        simulation.reset(seed=0)
        simulation.close()


@pytest.mark.parametrize("poison", [np.nan, np.inf])
def test_physics_that_diverged_is_an_error_not_a_restart(make_simulation, poison):
    simulation = make_simulation(cameras=())
    simulation.reset(seed=3)
    simulation.world.data.qvel[0] = poison
    with pytest.raises(PhysicsDiverged, match="not physical"):
        simulation.step(np.append(simulation.spec.home, 1.0))
    simulation.reset(seed=3)
    simulation.step(np.append(simulation.spec.home, 1.0))


def test_a_state_of_before_physics_diverged_can_be_gone_on_from(make_simulation):
    simulation = make_simulation()
    observation, _ = simulation.reset(seed=3)
    state, rest = simulation.state(), np.append(simulation.spec.home, 1.0)
    simulation.world.data.qvel[0] = np.nan
    for _ in range(2):
        with pytest.raises(PhysicsDiverged):
            simulation.step(rest)
    with pytest.raises(StaleObservation):
        observation["image.front"]
    simulation.restore(state)
    simulation.step(rest)


def test_a_picture_of_a_closed_body_is_gone(make_simulation):
    simulation = make_simulation()
    observation, _ = simulation.reset(seed=3)
    simulation.close()
    with pytest.raises(StaleObservation):
        observation["image.front"]


def test_the_clock_counts_control_steps(make_simulation):
    simulation = make_simulation(cameras=(), rates=Rates(1000.0, 40.0))
    observation, _ = simulation.reset(seed=0)
    times = [observation["time"][0]]
    for _ in range(8):
        times.append(simulation.step(np.append(simulation.spec.home, 1.0))[0]["time"][0])
    assert np.allclose(times, np.arange(9) / 40)


def test_ground_truth_stays_behind_truth(make_simulation):
    simulation = make_simulation()
    observation, info = simulation.reset(seed=0)
    assert set(info) == {"instruction", "seed"}
    _, reward, terminated, truncated, info = simulation.step(np.append(simulation.spec.home, 1.0))
    assert (reward, terminated, truncated, set(info)) == (0.0, False, False, {"command"})
    assert not any("cube" in key or "object" in key for key in observation)


def test_names_and_options_that_do_not_exist_are_refused(make_simulation):
    with pytest.raises(UnknownName, match="pick_place"):
        task_named("pickplace")
    with pytest.raises(UnknownName, match="panda"):
        load("pandas")
    with pytest.raises(InvalidOption, match="whole multiple"):
        Rates(500.0, 30.0)
    for rates in ((np.nan, 20.0), (np.inf, 20.0), (500.0, np.nan), (500.0, 0.0), (0.0, 20.0)):
        with pytest.raises(InvalidOption, match="whole multiple"):
            Rates(*rates)
    simulation = make_simulation()
    with pytest.raises(InvalidOption, match="difficulty"):
        simulation.reset(seed=0, options={"dificulty": 1.0})
    with pytest.raises(InvalidOption, match="at least 0"):
        simulation.reset(seed=-1)
    with pytest.raises(InvalidOption, match="empty"):
        simulation.reset(seed=0, options={"instruction": " "})


@pytest.mark.parametrize(
    "told",
    [
        {"seed": 1.5}, {"seed": "3"}, {"seed": -1}, {"options": {"difficulty": "hard"}},
        {"options": {"difficulty": None}}, {"options": {"feasible": "no"}}, {"options": {"instruction": 5}},
    ],
)
def test_what_a_reset_cannot_mean_is_refused_and_the_world_goes_on(make_simulation, told):
    """A seed of 1.5 is not 1, and "no" is not yes."""
    simulation = make_simulation(cameras=())
    simulation.reset(seed=0)
    before = simulation.state()
    with pytest.raises(InvalidOption):
        simulation.reset(**{"seed": 1} | told)
    assert np.array_equal(simulation.state(), before)


def test_a_seed_of_numpys_is_a_seed(make_simulation):
    simulation = make_simulation(cameras=())
    assert simulation.reset(seed=np.int64(3))[1] == simulation.reset(seed=3)[1]
