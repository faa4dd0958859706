"""The tasks as Gymnasium environments: its own checker, its vectors, a reward that adds up, typed refusals."""

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from tandem.bridge.contract import InvalidAction, InvalidOption, InvalidSpec, UnknownName
from tandem.bridge.contract.observation import layout
from tandem.bridge.robots import load
from tandem.sim import TaskEnvironment
from tandem.sim.cameras import CameraRequest
from tandem.sim.disturbances import disturbance_named
from tandem.sim.environment import environment_id
from tandem.sim.simulation import Simulation
from tandem.sim.tasks import TASKS, task_named

CAMERAS = [("front", 48, 32, True), ("wrist", 24, 16)]
JOINT_RANGES = "recommend using a symmetric and normalized space"  # joint targets are in radians, and stay so


def checked(env) -> list[str]:
    """Run Gymnasium's checker; the warnings it gives."""
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        check_env(env.unwrapped)
    return [str(one.message) for one in given if JOINT_RANGES not in str(one.message)]


@pytest.mark.parametrize("task", TASKS)
def test_every_task_passes_the_checker_of_gymnasium(task):
    env = gymnasium.make(environment_id(task))
    assert checked(env) == []
    assert env.spec.max_episode_steps == round(TASKS[task].horizon_s * 20)


def test_cameras_disturbances_and_pictures_pass_it_too():
    env = gymnasium.make(
        "tandem/PickPlace-v0", robot="ur5e", cameras=CAMERAS, disturbances=["noise", "delayed:steps=1"],
        render_mode="rgb_array", render_size=(64, 48), fine=False,
    )
    assert checked(env) == []
    env.reset(seed=0)
    picture = env.render()
    assert picture.shape == (48, 64, 3)
    assert picture.std() > 10
    env.close()


def test_spaces_are_the_specification():
    env = TaskEnvironment(cameras=CAMERAS, robot="so101")
    spec = env.body.spec
    assert {key: (box.shape, box.dtype) for key, box in env.observation_space.items()} == layout(spec)
    assert np.array_equal(env.action_space.low, spec.action.low)
    assert np.array_equal(env.action_space.high, spec.action.high)
    observation, _ = env.reset(seed=0)
    assert observation in env.observation_space
    for _ in range(20):
        observation, *_ = env.step(env.action_space.sample())
        assert observation in env.observation_space
    env.close()


def test_a_seed_draws_the_world_that_it_draws_for_a_body():
    env, body = TaskEnvironment(), Simulation(task_named("pick_place"), load("panda"), cameras=())
    observation, info = env.reset(seed=11)
    expected, told = body.reset(seed=11)
    assert np.array_equal(env.body.state(), body.state())
    assert info["instruction"] == told["instruction"]
    assert all(np.array_equal(observation[key], expected[key]) for key in expected)
    second = env.reset()[1]["seed"]  # the next of the sequence that seed 11 began
    env.reset(seed=11)
    assert env.reset()[1]["seed"] == second != 11


def test_reward_is_the_change_of_progress_and_success_ends_the_episode():
    env = TaskEnvironment(instruction="put the red cube in the blue bin", difficulty=0.0)
    _, info = env.reset(seed=0)
    assert info == {"instruction": "put the red cube in the blue bin", "success": False, "progress": 0.0, "seed": 0}
    rest = np.append(env.body.spec.home, 1.0)
    assert env.step(rest)[1:4] == (0.0, False, False)
    truth, world = env.body.truth(), env.body.truth().world
    joint = world.data.joint(truth.entity("red cube").joint)
    joint.qpos[:3] = truth.target("blue bin").surface + [0, 0, 0.03]
    total = 0.0
    for _ in range(20):
        _, reward, terminated, truncated, info = env.step(rest)
        total += reward
        if terminated:
            break
    assert (terminated, truncated, info["success"], info["progress"]) == (True, False, True, 1.0)
    assert total == pytest.approx(2.0)
    env.close()


def test_an_infeasible_instruction_is_never_a_success():
    env = TaskEnvironment()
    _, info = env.reset(seed=0, options={"feasible": False})
    assert env.body.truth().infeasible()
    assert (info["success"], info["progress"]) == (False, 0.0)


def test_a_bad_action_is_refused_and_leaves_no_trace():
    env = gymnasium.make("tandem/PickPlace-v0", disable_env_checker=True)
    env.reset(seed=0)
    body = env.unwrapped.body
    rest, before = np.append(body.spec.home, 1.0), body.state()
    for bad in (rest * np.nan, rest[:-1], rest + 10.0, "up"):
        with pytest.raises(InvalidAction):
            env.step(bad)
        assert np.array_equal(body.state(), before)
    env.close()


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_two_of_them_make_a_vector(mode):
    def rollout():
        envs = gymnasium.make_vec(
            "tandem/PickPlace-v0", num_envs=2, vectorization_mode=mode, cameras=CAMERAS,
            vector_kwargs={"context": "spawn"} if mode == "async" else {},  # OpenGL does not survive a fork
        )
        observations, infos = envs.reset(seed=7)
        images = [observations["image.front"].copy()]
        envs.action_space.seed(0)
        for _ in range(3):
            observations, rewards, *_ = envs.step(envs.action_space.sample())
            images.append(observations["image.front"].copy())
        envs.close()
        assert images[0].shape == (2, 32, 48, 3)
        assert rewards.shape == (2,)
        return images, list(infos["seed"])

    images, seeds = rollout()
    assert seeds == [7, 8]
    assert not np.array_equal(images[0][0], images[0][1])
    assert all(np.array_equal(one, two) for one, two in zip(images, rollout()[0], strict=True))


def test_closing_is_allowed_twice_and_resetting_again_after_it():
    env = TaskEnvironment(render_mode="rgb_array", render_size=(32, 24))
    env.reset(seed=0)
    env.render()
    env.close()
    env.close()
    env.reset(seed=0)
    assert env.render() is not None
    env.close()


@pytest.mark.parametrize(
    "options, error, told",
    [
        ({"task": "pick"}, UnknownName, "pick_place"),
        ({"robot": "pandas"}, UnknownName, "Did you mean 'panda'"),
        ({"cameras": [("ceiling", 8, 8)]}, UnknownName, "front, spectator, wrist"),
        ({"cameras": ["front"]}, InvalidOption, "name, width, height"),
        ({"cameras": [("front", 0, 8)]}, InvalidSpec, "size 0x8"),
        ({"disturbances": ["movd"]}, UnknownName, "Did you mean 'moved'"),
        ({"disturbances": ["noise:level=3"]}, InvalidOption, "joint_rad"),
        ({"difficulty": 1.5}, InvalidOption, "between 0"),
        ({"control_hz": 30.0}, InvalidOption, "whole multiple"),
        ({"render_mode": "human"}, UnknownName, "rgb_array"),
        ({"render_size": (640,)}, InvalidOption, "width, height"),
        ({"render_size": (0, 480)}, InvalidOption, "width, height"),
        ({"render_size": (64.5, 48)}, InvalidOption, "width, height"),
    ],
)
def test_options_that_mean_nothing_are_refused(options, error, told):
    with pytest.raises(error, match=told):
        TaskEnvironment(**options)


@pytest.mark.parametrize("words", ["delayed:steps=3", "nudged"])
def test_a_disturbance_given_as_a_value_is_each_environments_own(words):
    def positions(count, disturbance):
        envs = gymnasium.make_vec(
            "tandem/PickPlace-v0", num_envs=count, vectorization_mode="sync", disturbances=[disturbance]
        )
        envs.reset(seed=7)
        actions = np.tile(np.append(envs.envs[0].unwrapped.body.spec.home, 1.0), (count, 1))
        seen = []
        for _ in range(12):
            actions[:, 0] += 0.02 * np.arange(1, count + 1)
            seen.append(envs.step(actions)[0]["joint_position"][0].copy())
        envs.close()
        return np.array(seen)

    alone = positions(1, words)
    assert np.array_equal(positions(2, disturbance_named(words)), alone)


def test_disturbances_and_cameras_may_be_given_as_values():
    env = TaskEnvironment(cameras=[CameraRequest("front", 16, 12)], disturbances=[disturbance_named("delayed")])
    assert set(env.reset(seed=0)[0]) >= {"image.front"}
    env.close()
