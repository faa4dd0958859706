"""A body behind the bridge as a Gymnasium environment: `tandem/Remote-v0`.

    import gymnasium, tandem.sim
    env = gymnasium.make("tandem/Remote-v0", endpoint="tcp://127.0.0.1:7000")

The observation is read at once, pictures included. The reward is 0: a body does not judge.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from tandem.bridge.client import Contact, body_at
from tandem.sim.environment import observation_space


class RemoteEnvironment(gymnasium.Env[dict[str, np.ndarray], np.ndarray]):
    """See the module.

    Args:
        endpoint: "tcp://HOST:PORT" of a controller.
        keys: folder of keys, for a guarded one.
        key: name of this side's key.
        pictures: read them with every observation; without, observations hold what is measured only.

    Raises:
        BodyUnresponsive: nobody answers, or the key is not let in.
    """

    metadata = {"render_modes": []}

    def __init__(self, endpoint: str, *, keys: str | Path | None = None, key: str = "commander", pictures: bool = True):
        self._body = body_at(Contact.at(endpoint, keys=keys and Path(keys), key=key), name="environment")
        space = observation_space(self._body.spec)
        self.observation_space = spaces.Dict({
            name: box for name, box in space.items() if pictures or "." not in name
        })
        action = self._body.spec.action
        self.action_space = spaces.Box(action.low, action.high, dtype=np.float64)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Take the lease and begin; a simulation draws the seed's world."""
        super().reset(seed=seed)
        observation, info = self._body.reset(seed=seed, options=options)
        return self._read(observation), info

    def step(self, action: np.ndarray) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        """One control step. Raises `InvalidAction`, `BodyStopped` or `BodyUnresponsive`."""
        observation, reward, terminated, truncated, info = self._body.step(action)
        return self._read(observation), reward, terminated, truncated, info

    def _read(self, observation: Any) -> dict[str, np.ndarray]:
        return {name: np.array(observation[name]) for name in self.observation_space}

    def close(self) -> None:
        """Give the lease back and disconnect."""
        self._body.close()
