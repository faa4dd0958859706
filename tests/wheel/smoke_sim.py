"""What a researcher gets from the wheel: a task, made by its Gymnasium name and stepped without rendering."""

from importlib import metadata

import gymnasium
import numpy as np

import tandem.policies
import tandem.sim

assert "site-packages" in tandem.sim.__file__, f"not the wheel: {tandem.sim.__file__}"
assert "site-packages" in tandem.policies.__file__

environment = gymnasium.make("tandem/PickPlace-v0")
observation, _ = environment.reset(seed=0)
for _ in range(5):
    observation, reward, *_ = environment.step(environment.action_space.sample())
assert np.isfinite(observation["joint_position"]).all()
assert np.isfinite(reward)
environment.close()

assert "torch" not in {distribution.name.lower() for distribution in metadata.distributions()}
