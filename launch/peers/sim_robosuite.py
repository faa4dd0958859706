"""How fast robosuite simulates a Panda that lifts a cube: 20 Hz control, without an image and with one of 224x224.

Started by `launch/benchmark.py sim` under the robosuite peer's own Python, so it imports nothing of Tandem:

    MUJOCO_GL=egl ~/.cache/tandem-peers/robosuite/bin/python launch/peers/sim_robosuite.py [SECONDS]

Prints one JSON line per mode.
"""

import json
import sys
from time import perf_counter

import numpy as np
import robosuite

CONTROL_HZ = 20
NEVER_ENDS = 1_000_000


def make(images: int):
    """Lift with the default controller; robosuite renders inside `step` when cameras are asked for."""
    cameras = {"camera_names": "agentview", "camera_widths": 224, "camera_heights": 224} if images else {}
    return robosuite.make(
        "Lift",
        robots="Panda",
        control_freq=CONTROL_HZ,
        horizon=NEVER_ENDS,
        has_renderer=False,
        has_offscreen_renderer=bool(images),
        use_camera_obs=bool(images),
        **cameras,
    )


def steps_per_second(env, seconds: float) -> float:
    """Random actions within bounds, after one step that pays for what is built lazily."""
    generator = np.random.default_rng(seed=1)
    low, high = env.action_spec
    env.reset()
    env.step(np.zeros_like(low))
    count, begin = 0, perf_counter()
    while (elapsed := perf_counter() - begin) < seconds:
        env.step(generator.uniform(low, high))
        count += 1
    return count / elapsed


def main(seconds: float) -> None:
    for images in (0, 1):
        env = make(images)
        rate = steps_per_second(env, seconds)
        env.close()
        result = {"peer": "robosuite", "version": robosuite.__version__, "task": "Lift", "control_hz": CONTROL_HZ}
        print(json.dumps({**result, "images_224": images, "steps_per_s": round(rate, 1)}), flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 8.0)
