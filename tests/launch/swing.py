"""The log of an episode of one subgoal, a swinging joint before cameras full of noise: the least one can learn from."""

from pathlib import Path

import numpy as np

from tandem.bridge.contract import (
    Attempt,
    EpisodeResult,
    EpisodeStart,
    Event,
    EventKind,
    Outcome,
    Step,
    Subgoal,
    Verdict,
)
from tandem.bridge.log import Recorder
from tandem.bridge.robots import load
from tandem.sim.cameras import DEFAULT_CAMERAS
from tandem.sim.scene import Rates
from tandem.sim.simulation import body_spec

PICK = Subgoal("pick", {"object": "red cube"})
STEPS = 12


def record(path: Path, measured: bool | None = True) -> Path:
    spec, rng = body_spec(load("panda"), Rates(), DEFAULT_CAMERAS), np.random.default_rng(0)

    def observe(step):
        pictures = {f"image.{camera.name}": rng.integers(0, 256, (camera.height, camera.width, 3), np.uint8)
                    for camera in spec.cameras}
        return {
            "joint_position": spec.home + 0.01 * step, "joint_velocity": np.zeros(7), "gripper_opening": np.ones(1),
            "tool_pose": np.array([0.4, 0, 0.3, 0, 1, 0, 0]), "time": np.array([step * spec.dt_s]), **pictures,
        }

    attempt = Attempt(PICK, True, Verdict(Outcome.SUCCESS, "held"), measured, None, "", 0.0, 0.5)
    with Recorder(path) as recorder:
        now = observe(0)
        recorder.on_episode_start(EpisodeStart("pick up the red cube", spec, now, {"seed": 0}))
        for index in range(STEPS):
            after, action = observe(index + 1), np.append(spec.home + 0.01 * (index + 1), 1.0)
            recorder.on_step(Step(index, now, action, action, after, "reach", 0))
            now = after
        recorder.on_event(Event(EventKind.SUBGOAL_END, STEPS * spec.dt_s, "done", {"index": 0, **attempt.to_dict()}))
        recorder.on_episode_end(EpisodeResult(
            True, True, True, False, None, "done", 1.0, (attempt,), STEPS, 1, STEPS * spec.dt_s, 0.1, True))
    return path
