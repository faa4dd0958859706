"""Latency and training throughput of LeRobot's ACT, in its default size with two 224x224 cameras; prints one JSON line.

Runs under the Python of the peer lerobot: launch/peers/act_lerobot.py FOLDER INFERENCES STEPS BATCH. In FOLDER it
leaves what it computed with: weights.safetensors, and asked.npz with an observation and the chunk that it answered.
Beside the time on the clock it tells the processor's, which a busy machine does not lengthen.
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import torch
from lerobot.configs.types import FeatureType, PolicyFeature
from lerobot.policies.act.configuration_act import ACTConfig
from lerobot.policies.act.modeling_act import ACTPolicy
from safetensors.torch import save_file

CAMERAS, SIZE, JOINTS, CHUNK = ("front", "wrist"), 224, 8, 100
WARM = 3


def policy() -> ACTPolicy:
    image = PolicyFeature(FeatureType.VISUAL, (3, SIZE, SIZE))
    vector = PolicyFeature(FeatureType.STATE, (JOINTS,))
    pictures = {f"observation.images.{name}": image for name in CAMERAS}
    return ACTPolicy(ACTConfig(
        input_features={"observation.state": vector, **pictures}, device="cpu", pretrained_backbone_weights=None,
        output_features={"action": PolicyFeature(FeatureType.ACTION, (JOINTS,))}))


def batch(count: int) -> dict:
    seen = {f"observation.images.{name}": torch.rand(count, 3, SIZE, SIZE) for name in CAMERAS}
    return {"observation.state": torch.rand(count, JOINTS), **seen, "action": torch.rand(count, CHUNK, JOINTS),
            "action_is_pad": torch.zeros(count, CHUNK, dtype=torch.bool)}


def timed(call, count: int, warm: int) -> tuple[float, float]:
    """Seconds of the clock and of the processor, medians."""
    took = []
    for _ in range(warm + count):
        start, busy = perf_counter(), process_time()
        call()
        took.append((perf_counter() - start, process_time() - busy))
    return tuple(np.median(took[warm:], axis=0))


if __name__ == "__main__":
    folder, (inferences, steps, size) = Path(sys.argv[1]), map(int, sys.argv[2:5])
    torch.manual_seed(0)
    act, asked = policy(), {name: value for name, value in batch(1).items() if name.startswith("observation")}
    act.eval()
    with torch.inference_mode():
        answered = act.predict_action_chunk(asked)
        infer_s, infer_cpu_s = timed(lambda: act.predict_action_chunk(asked), inferences, WARM)
    save_file({name: value.contiguous() for name, value in act.state_dict().items()}, folder / "weights.safetensors")
    np.savez(folder / "asked.npz", answered=answered.numpy(), **{name: value.numpy() for name, value in asked.items()})
    act.train()
    optimizer, lesson = torch.optim.AdamW(act.parameters(), 1e-5), batch(size)

    def step() -> None:
        act.forward(lesson)[0].backward()
        optimizer.step()
        optimizer.zero_grad()

    step_s, step_cpu_s = timed(step, steps, 1)
    print(json.dumps({
        "peer": f"lerobot {version('lerobot')}", "parameters_m": sum(p.numel() for p in act.parameters()) / 1e6,
        "infer_ms": infer_s * 1e3, "infer_cpu_ms": infer_cpu_s * 1e3, "train_samples_per_s": size / step_s,
        "train_cpu_s_per_sample": step_cpu_s / size}))
