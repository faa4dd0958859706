"""Latency and size of a flow policy, and what real-time chunking does to the jerk at the seams of its chunks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np
from benchmarks.cache_speed import SIZE
from benchmarks.executors import seam_jerk_ratio
from composition import Rig, System

from tandem.bridge.contract import CameraPoint, Subgoal
from tandem.policies.learned import LearnedPolicy
from tandem.policies.learned.architectures import network_for
from tandem.policies.learned.store import load_network
from tandem.policies.learned.training.lessons import Lessons

WARM = 3


def latency(folder: Path | None, lessons: Lessons, task: str, chunks: int) -> dict[str, float]:
    """From an observation, its pictures taken, to a chunk of joint targets.

    Args:
        folder: of a trained policy; without one the network is an untrained one for these lessons.
        lessons: see above.
        task: whose first observation is answered.
        chunks: how often.
    """
    rig = Rig(System(planner="scripted", policy="demonstrator", task=task))
    observation, spec = dict(rig.body.reset(seed=0)[0]), rig.body.spec
    rig.close()
    if folder is None:
        manifest, spec = lessons.manifest("flow", {}), lessons.spec
        network = network_for("flow", manifest.shapes, {})
        observation = {name: _small(value) if value.ndim > 1 else value for name, value in observation.items()}
    else:
        manifest, network = load_network(folder)
    policy, took = LearnedPolicy(spec, manifest, network), []
    subgoal = Subgoal(manifest.skills[0], {"object": "red cube", "point": CameraPoint("front", 110, 110)})
    for _ in range(chunks + WARM):
        start = perf_counter()
        policy.infer(observation, subgoal)
        took.append(perf_counter() - start)
    names = {"flow_infer_ms": 0.5, "flow_infer_ms_p95": 0.95, "flow_infer_ms_p99": 0.99}
    figures = {name: float(np.quantile(took[WARM:], share)) * 1e3 for name, share in names.items()}
    return figures | {"flow_weights_mb": sum(weight.numel() * 4 for weight in network.parameters()) / 1e6}


def chunking(folder: Path, task: str, seeds: Sequence[int], executor: str) -> dict[str, float]:
    """Jerk at the seams by real-time chunking over that in the open loop, 200 ms charged, and either one's success."""
    system = System(planner="scripted", task=task, policy=str(folder))
    found = seam_jerk_ratio(system, seeds, executor=executor)
    return {"rtc_seam_jerk_ratio": found["seam_jerk_ratio"], "rtc_success": found["success"],
            "open_loop_success": found["baseline_success"]}


def _small(picture: np.ndarray) -> np.ndarray:
    return cv2.resize(picture, (SIZE, SIZE), interpolation=cv2.INTER_NEAREST)
