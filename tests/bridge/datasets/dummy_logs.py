"""Logs of episodes with no body behind them, from a seed; as a program, an export that never comes to its end."""

import sys
import time
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
from dummy_recording import DT, body_spec, observe, result

from tandem.bridge.contract import EpisodeStart, Step
from tandem.bridge.datasets import export_logs
from tandem.bridge.log import LogReader, PicturePolicy, Recorder

STATE_SIZE = 50
LAYOUT = {"signature": 8191, "size": STATE_SIZE}


def record(path, *, seed=0, steps=12, task="put the red cube in the bin", success=True, look_every=3, look_from=0,
           spec=None, cameras=("front",), end=True, skip=(), format="png", rotate_s=None):
    """Write one log; returns what was told: the steps, and the states before each of them and after the last."""
    rng, told = np.random.default_rng(seed), []
    states = np.random.default_rng(seed + 100).normal(size=(steps + 1, STATE_SIZE))
    turns = count()
    with Recorder(
        path, state=lambda: states[next(turns)], state_layout=LAYOUT, model=b"\0model", min_free_bytes=0,
        pictures=PicturePolicy(format=format), rotate_s=rotate_s,
    ) as recorder:
        now = observe(rng, 0.0)
        recorder.on_episode_start(EpisodeStart(task, spec or body_spec(), now, {"seed": seed}))
        for index in range(steps):
            if index >= look_from and (index - look_from) % look_every == 0:
                _ = [now[f"image.{camera}"] for camera in cameras]
            after = observe(rng, (index + 1) * DT)
            step = Step(index, now, rng.normal(size=8), rng.normal(size=8), after)
            if index not in skip:
                told.append(step)
                recorder.on_step(step)
            now = after
        if end:
            recorder.on_episode_end(replace(result(steps), measured=success))
    return told, states


def other_spec(**fields):
    return replace(body_spec(), **fields)


def camera_sized(width, height):
    return tuple(replace(camera, width=width, height=height) for camera in body_spec().cameras)


def psnr(image, other):
    """Peak signal to noise ratio in dB of two uint8 images."""
    error = np.mean((image.astype(float) - other.astype(float)) ** 2)
    return 99.0 if error == 0 else 10 * np.log10(255**2 / error)


def same_numbers(log, other):
    """Raises unless two logs hold the same actions, commands and measurements at every step, bit for bit."""
    steps, others = list(LogReader(log).steps()), list(LogReader(other).steps())
    assert len(steps) == len(others)
    for step, twin in zip(steps, others, strict=True):
        np.testing.assert_array_equal(step.action, twin.action)
        np.testing.assert_array_equal(step.command, twin.command)
    for step, twin in zip(steps[:-1], others[:-1], strict=True):  # what followed the last action is in no dataset
        for name in ("joint_position", "joint_velocity", "gripper_opening", "tool_pose", "time_s"):
            np.testing.assert_array_equal(getattr(step.measured, name), getattr(twin.measured, name))


if __name__ == "__main__":

    def stuck(log, camera, times):
        yield from (np.zeros((48, 64, 3), np.uint8) for _ in times[:5])
        sys.stdout.write("half\n")
        sys.stdout.flush()
        time.sleep(60)

    export_logs([Path(sys.argv[1])], Path(sys.argv[2]), to=sys.argv[3], render=stuck)
