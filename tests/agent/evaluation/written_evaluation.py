"""A folder of results as an evaluation leaves it, with short logs of no body at all and words that mean harm."""

from pathlib import Path

import numpy as np

from tandem.agent.evaluation import results
from tandem.agent.evaluation.results import INFRASTRUCTURE, Record
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

HEIGHT, WIDTH, DT = 240, 320, 0.05
HARM = """"'><script>window.harmed=1</script><img src=x onerror="window.harmed=1">{{ 7*7 }}</pre></svg>&amp;"""
PLAN = {"system": {"planner": HARM}, "tasks": ["sort", "stack"], "episodes": 2, "first_seed": 7, "arm": {}}
CALL = {
    "kind": "plan", "system": f"You plan. {HARM}",
    "parts": [{"picture": "front", "sha256": "ab" * 32, "size": [4, 3]}, HARM],
    "reply": f"reply {HARM}", "thinking": f"thought {HARM}", "model": {"id": f"model {HARM}"},
    "tokens": {"prompt": 12, "sampled": None}, "seconds": 0.25, "notes": [HARM], "error": f"refused {HARM}",
}  # fmt: skip


def spec() -> BodySpec:
    one = np.ones(2)
    front = CameraSpec("front", WIDTH, HEIGHT, np.diag([60.0, 60.0, 1.0]), "base", np.eye(4), False)
    action = ActionSpec(("joint0", HARM, "gripper"), np.append(-2 * one, 0), np.append(2 * one, 1))
    return BodySpec(
        "dummy", ("joint0", HARM), -2 * one, 2 * one, one, one, one, 0 * one, 1 / DT, (front,), action,
        StopBehaviour.HOLD, "<mujoco/>", "tool", None,
    )


def observe(time_s: float) -> LazyObservation:
    slope = np.linspace(0, 255, WIDTH, dtype=np.uint8)
    bands = [np.roll(slope, int(90 * time_s) + shade) for shade in (0, 80, 160)]
    picture = np.tile(np.stack(bands, axis=-1), (HEIGHT, 1, 1))
    measured = {
        "joint_position": np.array([np.sin(time_s), 0.5 * time_s]), "joint_velocity": np.zeros(2),
        "gripper_opening": np.array([0.5]), "tool_pose": np.array([0, 0, 0, 1.0, 0, 0, 0]), "time": np.array([time_s]),
    }
    return LazyObservation(measured, {"image.front": lambda: picture})


def attempt(skill: str, *, good: bool, start_s: float, end_s: float) -> Attempt:
    subgoal = Subgoal(skill, {"object": "red cube"}, f"{skill} the red cube {HARM}", "it is held")
    seen = Verdict(Outcome.SUCCESS if good else Outcome.FAILURE, f"evidence {HARM}")
    return Attempt(subgoal, True, seen, good, None if good else "GRASP_FAILED", f"detail {HARM}", start_s, end_s)


def record_log(path: Path, *, good: bool, steps: int = 40, pictures: bool = True, end: bool = True) -> None:
    """One episode of two attempts at picking, the last good or bad; every eighth step is looked at."""
    half, last = steps // 2 * DT, steps * DT
    tried = (attempt("pick", good=True, start_s=0.0, end_s=half), attempt("pick", good=good, start_s=half, end_s=last))
    plan = Plan(tuple(one.subgoal for one in tried), reason=f"reason {HARM}", calls=(CALL,))
    with Recorder(path, min_free_bytes=0) as recorder:
        now = observe(0.0)
        recorder.on_episode_start(EpisodeStart(f"pick {HARM}", spec(), now, {"note": HARM, "seed": 7}))
        recorder.on_event(Event(EventKind.PLAN, 0.0, HARM, {**plan.to_dict(), "latency_s": 0.3}))
        for index in range(steps):
            if index % (steps // 2) == 0:
                _begin(recorder, index * DT, tried[index >= steps // 2], index)
            if pictures and index % 8 == 0:
                _ = now["image.front"]
            after = observe((index + 1) * DT)
            action = np.append(after["joint_position"], 0.4)
            recorder.on_step(Step(index, now, action, action, after, "reach", 0, index % 4 == 0))
            now = after
            if index % (steps // 2) == steps // 2 - 1:
                number = int(index >= steps // 2)
                data = {"index": number, **tried[number].to_dict()}
                recorder.on_event(Event(EventKind.SUBGOAL_END, tried[number].end_s, HARM, data))
        recorder.on_event(Event(EventKind.DISTURBANCE, half, f"moved {HARM}", {"name": "moved"}))
        if end:
            recorder.on_episode_end(EpisodeResult(
                True, good, good, False, None if good else "GRASP_FAILED", HARM, 1.0, tried, steps, 1, last, 0.1, False
            ))


def _begin(recorder: Recorder, time_s: float, tried: Attempt, index: int) -> None:
    data = {"index": int(index > 0), "of": 2, **tried.subgoal.to_dict()}
    recorder.on_event(Event(EventKind.SUBGOAL_START, time_s, HARM, data))


def record(index: int, *, success: bool | None, **given: object) -> Record:
    """A result with harmful words in it."""
    fields = {
        "claimed": bool(success), "seen": success, "measured": success, "false_success": False, "body_s": 2.0,
        "failure": None if success else "GRASP_FAILED", "reason": f"because {HARM}", "instruction": f"pick {HARM}",
        "host": HARM, "steps": 40, "plans": 1, "plan_latency_s": (0.3,),
    }
    return Record("sort", index, 7 + index, success=success, **{**fields, **given})


def write_evaluation(folder: Path) -> Path:
    """A success, a failure, a false success, and a worker that died."""
    results.begin(folder, PLAN)
    record_log(folder / results.LOGS / "good.mcap", good=True)
    record_log(folder / results.LOGS / "bad.mcap", good=False)
    results.append(folder, record(0, success=True, log="good.mcap"))
    results.append(folder, record(1, success=False, log="bad.mcap"))
    results.append(folder, record(2, success=False, claimed=True, false_success=True, failure=None, log="bad.mcap"))
    results.append(folder, record(3, success=None, kind=INFRASTRUCTURE, failure=f"WorkerDied {HARM}"))
    return folder
