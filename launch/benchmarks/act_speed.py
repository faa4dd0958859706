"""ACT next to LeRobot's in one run: latency of a chunk, samples learned per second, and that both answer the same.

LeRobot's default size, two 224x224 cameras. Ours and theirs take turns, ours first and last; the medians of all turns
are compared, by the clock. The processor's own time stands beside it (`cpu`): a busy machine does not lengthen it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import numpy as np
import torch
from benchmarks.act_weights import take
from benchmarks.peer import run_peer
from safetensors.torch import load_file

from tandem.policies.learned.act import Act
from tandem.policies.learned.network import Lesson, Senses, Shapes
from tandem.policies.learned.resnet import DEVIATION, MEAN

SHAPES = Shapes(horizon=100, action=8, state=8, pictures=((224, 224), (224, 224)), skills=1, words=2, length=1)
CAMERAS = ("front", "wrist")
WARM = 3


@dataclass(frozen=True)
class ActSpeed:
    """How much is measured.

    Attributes:
        inferences: of each turn.
        steps: of learning, of each turn.
        batch: samples of a step.
        turns: of the peer's; ours are one more.
    """

    inferences: int
    steps: int
    batch: int
    turns: int

    def measure(self, peers: bool, say: Callable[[str], None]) -> dict[str, float]:
        """Figures by name; without the peer only ours."""
        ours, theirs, apart = [], [], []
        with tempfile.TemporaryDirectory() as folder:
            for _ in range(self.turns if peers else 0):
                say("ACT, ours")
                ours.append(self._ours())
                say("ACT, LeRobot's")
                how = (folder, *map(str, (self.inferences, self.steps, self.batch)))
                theirs += run_peer("lerobot", "act_lerobot.py", *how)
                if theirs:
                    apart.append(_difference(Path(folder)))
            say("ACT, ours")
            ours.append(self._ours())
        figures = {f"act_{name}": median(turn[name] for turn in ours) for name in ours[0]}
        if theirs:
            told = {name: median(turn[name] for turn in theirs) for name in theirs[0] if name != "peer"}
            figures |= {f"lerobot_act_{name}": value for name, value in told.items()}
            figures |= {
                "act_infer_x_lerobot": told["infer_ms"] / figures["act_infer_ms"],
                "act_infer_cpu_x_lerobot": told["infer_cpu_ms"] / figures["act_infer_cpu_ms"],
                "act_train_x_lerobot": figures["act_train_samples_per_s"] / told["train_samples_per_s"],
                "act_train_cpu_x_lerobot": told["train_cpu_s_per_sample"] / figures["act_train_cpu_s_per_sample"],
                "act_difference": max(apart),
            }
        return figures

    def _ours(self) -> dict[str, float]:
        """The same work as launch/peers/act_lerobot.py does."""
        torch.manual_seed(0)
        network, generator = Act(SHAPES).eval(), torch.Generator().manual_seed(0)
        asked = _senses(1)
        with torch.inference_mode():
            took_s, busy_s = _timed(lambda: network.answer(asked, generator), self.inferences, WARM)
        percentiles = dict(zip(("", "_p95", "_p99"), np.quantile(took_s, (0.5, 0.95, 0.99)), strict=True))
        network.train()
        optimizer = torch.optim.AdamW(network.parameters(), 1e-5, fused=True)
        lesson = Lesson(_senses(self.batch), torch.rand(self.batch, SHAPES.horizon, SHAPES.action),
                        torch.rand(self.batch))

        def step() -> None:
            network.loss(lesson, generator)[0].backward()
            optimizer.step()
            optimizer.zero_grad()

        step_s, step_busy_s = _timed(step, self.steps, 1)
        return {
            "parameters_m": sum(weight.numel() for weight in network.parameters()) / 1e6,
            **{f"infer_ms{name}": float(value) * 1e3 for name, value in percentiles.items()},
            "infer_cpu_ms": median(busy_s) * 1e3, "train_samples_per_s": self.batch / median(step_s),
            "train_cpu_s_per_sample": median(step_busy_s) / self.batch,
        }


def _timed(call: Callable[[], object], count: int, warm: int) -> tuple[list[float], list[float]]:
    """Seconds of the clock and of the processor."""
    took = []
    for _ in range(warm + count):
        start, busy = perf_counter(), process_time()
        call()
        took.append((perf_counter() - start, process_time() - busy))
    return tuple(map(list, zip(*took[warm:], strict=True)))


def _senses(count: int) -> Senses:
    """Pictures come as cameras give them, channels last."""
    pictures = tuple(torch.rand(count, *size, 3).permute(0, 3, 1, 2) for size in SHAPES.pictures)
    return Senses(pictures, torch.rand(count, SHAPES.state), torch.zeros(count, dtype=torch.long),
                  torch.zeros(count, SHAPES.length, dtype=torch.long))


def _difference(folder: Path) -> float:
    """Largest difference of our chunk from the peer's, by the peer's weights, as a share of its largest number."""
    network = Act(SHAPES).eval()
    take(network, load_file(folder / "weights.safetensors"))
    with np.load(folder / "asked.npz", allow_pickle=False) as asked:
        told = {name: torch.from_numpy(asked[name]) for name in asked.files}
    mean, deviation = (torch.tensor(values)[:, None, None] for values in (MEAN, DEVIATION))
    pictures = tuple(told[f"observation.images.{name}"] * deviation + mean for name in CAMERAS)  # theirs are normalised
    nothing = torch.zeros(1, dtype=torch.long)
    senses = Senses(pictures, told["observation.state"], nothing, nothing[:, None])
    found = network.answer(senses, torch.Generator()).actions[:1]
    return float((found - told["answered"]).abs().max() / told["answered"].abs().max())
