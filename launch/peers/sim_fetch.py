"""How fast Gymnasium-Robotics simulates FetchPickAndPlace: 25 Hz control, without an image and with one of 224x224.

Started by `launch/benchmark.py sim` under the fetch peer's own Python, so it imports nothing of Tandem:

    MUJOCO_GL=egl ~/.cache/tandem-peers/fetch/bin/python launch/peers/sim_fetch.py [SECONDS]

Prints one JSON line per mode.
"""

import json
import sys
from importlib.metadata import version
from time import perf_counter

import gymnasium
import gymnasium_robotics

TASK = "FetchPickAndPlace-v4"
CONTROL_HZ = 25
NEVER_ENDS = 1_000_000


def make(images: int) -> gymnasium.Env:
    """The registered environment; its observation holds no image, so one is rendered after each step when asked for."""
    render = {"render_mode": "rgb_array", "width": 224, "height": 224} if images else {}
    return gymnasium.make(TASK, max_episode_steps=NEVER_ENDS, **render)


def steps_per_second(env: gymnasium.Env, images: int, seconds: float) -> float:
    """Random actions within bounds, after one step that pays for what is built lazily."""

    def step() -> None:
        env.step(env.action_space.sample())
        if images:
            env.render()

    env.reset(seed=1)
    env.action_space.seed(1)
    step()
    count, begin = 0, perf_counter()
    while (elapsed := perf_counter() - begin) < seconds:
        step()
        count += 1
    return count / elapsed


def main(seconds: float) -> None:
    gymnasium.register_envs(gymnasium_robotics)
    for images in (0, 1):
        env = make(images)
        rate = steps_per_second(env, images, seconds)
        env.close()
        result = {"peer": "gymnasium-robotics", "version": version("gymnasium-robotics"), "task": TASK}
        result |= {"control_hz": CONTROL_HZ, "images_224": images, "steps_per_s": round(rate, 1)}
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 8.0)
