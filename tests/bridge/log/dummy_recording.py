"""A whole episode with no body behind it, from a seed. As a program: records one until it ends or is killed."""

import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tandem.bridge.contract import (
    ActionSpec,
    Attempt,
    BodySpec,
    CameraSpec,
    EpisodeResult,
    EpisodeStart,
    Event,
    EventKind,
    LazyObservation,
    Outcome,
    Plan,
    Step,
    StopBehaviour,
    Subgoal,
    Verdict,
)
from tandem.bridge.log import Recorder

HEIGHT, WIDTH, DT = 48, 64, 0.05
PICK = Subgoal("pick", {"object": "red cube"}, "pick the red cube", "the cube is in the gripper")
ATTEMPT = Attempt(PICK, True, Verdict(Outcome.SUCCESS, "gripper stalled at 0.4"), True, None, "", 0.0, 0.5)


def body_spec(n: int = 7) -> BodySpec:
    one = np.ones(n)
    cameras = tuple(
        CameraSpec(name, WIDTH, HEIGHT, np.diag([60.0, 60.0, 1.0]), "base", np.eye(4), True)
        for name in ("front", "wrist")
    )
    names = (*(f"joint{i}" for i in range(n)), "gripper")
    action = ActionSpec(names, np.append(-2 * one, 0), np.append(2 * one, 1))
    return BodySpec(
        "dummy", names[:n], -2 * one, 2 * one, one, one, one, 0 * one, 1 / DT, cameras, action, StopBehaviour.HOLD,
        "<mujoco/>", "tool", None,
    )


def picture(rng: np.random.Generator) -> np.ndarray:
    """Smooth, as a photograph is, so that a good JPEG is close to it."""
    x, y = np.meshgrid(np.linspace(0, 3, WIDTH), np.linspace(0, 2, HEIGHT))
    waves = [np.sin(x * rng.uniform(1, 2) + y + rng.uniform(0, 6)) for _ in range(3)]
    return np.stack([(wave * 100 + 128) for wave in waves], axis=-1).astype(np.uint8)


def observe(rng: np.random.Generator, time_s: float) -> LazyObservation:
    measured = {
        "joint_position": rng.normal(size=7), "joint_velocity": rng.normal(size=7),
        "gripper_opening": rng.random(1), "tool_pose": np.append(rng.normal(size=3), [1.0, 0, 0, 0]),
        "time": np.array([time_s]),
    }
    sources = {
        "image.front": lambda: picture(rng), "image.wrist": lambda: picture(rng),
        "depth.front": lambda: rng.random((HEIGHT, WIDTH), dtype=np.float32) * 2,
    }
    return LazyObservation(measured, sources)


def result(steps: int) -> EpisodeResult:
    return EpisodeResult(
        True, True, False, False, None, "done", 0.5, (ATTEMPT,), steps, 1, steps * DT, 0.1, True, expected=True
    )


@dataclass
class Episode:
    """What was told to the recorder, to compare with what comes back."""

    steps: list[Step] = field(default_factory=list)
    states: list[np.ndarray] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    seed: int = 0
    size: int = 50
    look_every: int = 3

    def state(self) -> np.ndarray:
        self.states.append(np.random.default_rng(len(self.states) + self.seed).normal(size=self.size))
        return self.states[-1]

    def tell(self, recorder: Recorder, event: Event) -> None:
        self.events.append(event)
        recorder.on_event(event)

    def play(
        self, recorder: Recorder, steps: int = 20, *, end: bool = True, pause_s: float = 0.0,
        begun: Callable[[], None] = lambda: None,
    ) -> None:
        rng = np.random.default_rng(self.seed)
        now = observe(rng, 0.0)
        recorder.on_episode_start(EpisodeStart("put the red cube in the bin", body_spec(), now, {"seed": self.seed}))
        begun()
        self.tell(recorder, Event(EventKind.PLAN, 0.0, "one step", Plan((PICK,), reason="simple").to_dict()))
        self.tell(recorder, Event(EventKind.SUBGOAL_START, 0.0, str(PICK), {"index": 0, "of": 1, **PICK.to_dict()}))
        for index in range(steps):
            if index % self.look_every == 0:
                _ = now["image.front"], now["depth.front"]
            after = observe(rng, (index + 1) * DT)
            action = rng.normal(size=8)
            self.steps.append(Step(index, now, action, np.clip(action, -1, 1), after, "reach", 0, index % 2 == 1))
            recorder.on_step(self.steps[-1])
            now = after
            time.sleep(pause_s)
        self.tell(recorder, Event(EventKind.SUBGOAL_END, steps * DT, "done", {"index": 0, **ATTEMPT.to_dict()}))
        if end:
            recorder.on_episode_end(result(steps))


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs begin with it ignored
    episode = Episode(look_every=10**9)  # little to write: no chunk fills up on its own
    with Recorder(Path(sys.argv[1]), state=episode.state, min_free_bytes=0) as recorder:

        def begun() -> None:
            sys.stdout.write(f"{recorder._writer.pid}\n")
            sys.stdout.flush()

        episode.play(recorder, steps=int(sys.argv[2]), pause_s=float(sys.argv[3]), begun=begun)
