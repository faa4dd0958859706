"""A seed determines an episode bit for bit, in one process and in two; a logged state and its actions do so again."""

import hashlib
import os
import subprocess
import sys

import mujoco
import numpy as np
import pytest
from mujoco import rollout

from tandem.bridge.contract import InvalidOption
from tandem.sim.disturbances import disturbance_named
from tandem.sim.tasks import TASKS
from tandem.sim.world import STATE

STEPS = 200
ALL_AT_ONCE = ("moved", "knocked", "noise", "delayed")

IN_ANOTHER_PROCESS = """
import hashlib, sys
import numpy as np
from tandem.bridge.robots import load
from tandem.sim.simulation import Simulation
from tandem.sim.tasks import task_named
actions = np.load(sys.argv[1])
simulation = Simulation(task_named("pick_place"), load("panda"), cameras=())
simulation.reset(seed=5)
digest = hashlib.sha256(simulation.state().tobytes())
for action in actions:
    simulation.step(action)
    digest.update(simulation.state().tobytes())
print(digest.hexdigest())
"""


def trajectory(simulation, actions, seed=5):
    """(T + 1, N) states of an episode."""
    simulation.reset(seed=seed)
    states = [simulation.state()]
    for action in actions:
        simulation.step(action)
        states.append(simulation.state())
    return np.array(states)


@pytest.mark.parametrize("robot", ["panda", "ur5e", "so101"])
def test_same_seed_same_episode_in_one_process(make_simulation, wander, robot):
    simulation = make_simulation(robot=robot, cameras=())
    actions = list(wander(simulation, STEPS))
    first = trajectory(simulation, actions)
    trajectory(simulation, actions[:7], seed=6)  # another episode in between leaves no trace
    assert np.array_equal(first, trajectory(simulation, actions))
    assert np.array_equal(first, trajectory(make_simulation(robot=robot, cameras=()), actions))


@pytest.mark.parametrize("task", TASKS)
def test_every_task_is_determined_by_its_seed_and_replays_exactly(make_simulation, wander, task):
    simulation = make_simulation(task, cameras=())
    actions = list(wander(simulation, 60))
    first = trajectory(simulation, actions)
    assert np.array_equal(first, trajectory(simulation, actions))
    simulation.restore(first[30])
    for k in range(30, 60):
        simulation.step(actions[k])
        assert np.array_equal(simulation.state(), first[k + 1]), f"differs after step {k}"


def test_reading_images_does_not_change_the_episode(make_simulation, wander):
    looking, blind = make_simulation(), make_simulation(cameras=())
    actions = list(wander(blind, 20))
    expected = trajectory(blind, actions)
    observation, _ = looking.reset(seed=5)
    for k, action in enumerate(actions):
        assert observation["image.front"].any()
        looking.truth().remaining()
        looking.truth().progress()
        assert np.array_equal(looking.state(), expected[k])
        observation = looking.step(action)[0]


def test_another_seed_is_another_world(make_simulation):
    simulation = make_simulation(cameras=())
    assert not np.array_equal(trajectory(simulation, [], seed=1)[0], trajectory(simulation, [], seed=2)[0])


def test_same_seed_same_episode_in_two_processes(make_simulation, wander, tmp_path):
    simulation = make_simulation(cameras=())
    actions = np.array(list(wander(simulation, STEPS)))
    np.save(tmp_path / "actions.npy", actions)
    here = hashlib.sha256(trajectory(simulation, actions).tobytes()).hexdigest()
    told = [
        subprocess.run(
            [sys.executable, "-c", IN_ANOTHER_PROCESS, str(tmp_path / "actions.npy")],
            capture_output=True, text=True, check=True, env=dict(os.environ, PYTHONHASHSEED=seed),
        ).stdout.strip()
        for seed in ("1", "2")
    ]
    assert told == [here, here]


@pytest.mark.parametrize("start", [0, 90])
def test_replay_from_a_logged_state_is_exact(make_simulation, wander, start):
    simulation = make_simulation(cameras=())
    actions = list(wander(simulation, STEPS))
    states = trajectory(simulation, actions)
    simulation.restore(states[start])
    for k in range(start, STEPS):
        assert np.array_equal(simulation.state(), states[k]), f"differs before step {k}"
        simulation.step(actions[k])
    assert np.array_equal(simulation.state(), states[-1])


def test_replay_of_a_disturbed_episode_restores_what_struck(make_simulation, wander):
    simulation = make_simulation(cameras=(), disturbances=[disturbance_named(name) for name in ALL_AT_ONCE])
    struck = []
    simulation.on_event = lambda event: struck.append(event.time_s)
    actions = list(wander(simulation, STEPS))
    simulation.reset(seed=5)
    states, commands = [simulation.state()], []
    for action in actions:
        commands.append(simulation.step(action)[4]["command"])
        states.append(simulation.state())
    assert len(struck) == 4
    quiet = make_simulation(cameras=())
    quiet.reset(seed=5)
    moved = [k for k in range(1, STEPS + 1) if any(abs(k * quiet.spec.dt_s - time_s) < 1e-6 for time_s in struck)]
    for k in range(STEPS):
        quiet.restore(states[k])
        quiet.step(commands[k])
        assert np.array_equal(quiet.state(), states[k + 1]) or k + 1 in moved


def test_an_observation_is_a_function_of_the_state(make_simulation, wander):
    simulation = make_simulation(cameras=())
    simulation.reset(seed=5)
    for k, action in enumerate(wander(simulation, 30)):
        observation = simulation.step(action)[0]
        if k == 12:
            state, seen = simulation.state(), observation
    again = simulation.restore(state)
    assert all(np.array_equal(seen[key], again[key]) for key in seen)


def test_mujoco_rollout_gives_the_same_states(make_simulation, wander):
    """Anybody can go on from a logged state with plain MuJoCo, on threads."""
    simulation = make_simulation(cameras=())
    simulation.reset(seed=5)
    for action in wander(simulation, 20):
        simulation.step(action)
    world, before = simulation.world, simulation.state()
    control = np.empty(world.model.nu)
    mujoco.mj_extractState(world.model, before, STATE, control, mujoco.mjtState.mjSTATE_CTRL)
    full = mujoco.mjtState.mjSTATE_FULLPHYSICS
    initial = np.empty(mujoco.mj_stateSize(world.model, full))
    mujoco.mj_extractState(world.model, before, STATE, initial, full)
    warmstart = world.data.qacc_warmstart.copy()
    states, _ = rollout.rollout(
        world.model, mujoco.MjData(world.model), initial, control[None, None].repeat(25, axis=1),
        initial_warmstart=warmstart,
    )
    simulation.step(world.commanded())  # the ramp stays where it ended: the same control at every physics step
    after = np.empty_like(initial)
    mujoco.mj_extractState(world.model, simulation.state(), STATE, after, full)
    assert np.array_equal(states[0, -1], after)


def test_a_state_of_another_world_is_refused(make_simulation):
    simulation = make_simulation(cameras=())
    simulation.reset(seed=5)
    before = simulation.state()
    with pytest.raises(InvalidOption, match="another model"):
        simulation.restore(before[:-1])
    assert np.array_equal(simulation.state(), before)
