"""A simulation in lockstep behind the bridge: the episode is the one in process, bit for bit; in Gymnasium, too."""

import re
import subprocess
import sys
from pathlib import Path

import gymnasium
import numpy as np
import pytest

import tandem.sim  # noqa: F401 registers the environments
from tandem.bridge.client import Contact, body_at
from tandem.bridge.conformance import check_body
from tandem.bridge.conformance.law import same
from tandem.bridge.contract import snapshot
from tandem.bridge.contract.observation import layout
from tandem.bridge.robots import load
from tandem.sim.disturbances import disturbance_named
from tandem.sim.simulation import Simulation
from tandem.sim.tasks import task_named

LAUNCH = Path(__file__).parents[2] / "launch"


@pytest.fixture(scope="module")
def endpoint():
    process = subprocess.Popen(
        [sys.executable, LAUNCH / "controller.py", "--driver", "sim", "--lockstep", "--port", "0", "--task", "stack",
         "--disturb", "moved", "noise"], stdout=subprocess.PIPE, text=True,
    )
    yield re.search(r"tcp://\S+?(?=,)", process.stdout.readline())[0]
    process.terminate()
    assert process.wait() == 0


def episode(body, steps=30):
    observation, info = body.reset(seed=11)
    keys, rng, seen = layout(body.spec), np.random.default_rng(5), []
    target = np.append(observation["joint_position"], 1.0)
    for _ in range(steps):
        seen.append(snapshot(observation, keys))
        target = np.clip(target + rng.uniform(-0.02, 0.02, target.size), body.spec.action.low, body.spec.action.high)
        observation, _, _, _, told = body.step(target)
        seen.append({"command": np.asarray(told["command"])})
    return info["instruction"], seen


def test_an_episode_over_the_wire_is_the_one_in_process_bit_for_bit(endpoint):
    struck = [disturbance_named(name) for name in ("moved", "noise")]
    here = Simulation(task_named("stack"), load("panda"), disturbances=struck)
    there = body_at(Contact.at(endpoint))
    (words, expected), (told, got) = episode(here), episode(there)
    there.close()
    here.close()
    assert told == words
    assert all(not same(one, other) for one, other in zip(expected, got, strict=True))


def test_it_keeps_the_laws_of_a_body(endpoint):
    bodies = []

    def make():
        if bodies:
            bodies[-1].close()
        bodies.append(body_at(Contact.at(endpoint)))
        return bodies[-1]

    check_body(make)
    bodies[-1].close()


def test_it_is_a_gymnasium_environment(endpoint):
    env = gymnasium.make("tandem/Remote-v0", endpoint=endpoint, disable_env_checker=True)
    observation, info = env.reset(seed=3)
    assert info["instruction"]
    assert env.observation_space.contains(observation)
    after, reward, *_ = env.step(np.append(observation["joint_position"], 1.0))
    assert env.observation_space.contains(after)
    assert reward == 0
    env.close()
