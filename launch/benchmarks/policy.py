"""What learned policies cost: ACT and the training cache next to LeRobot's in the same run, the flow policy's latency,
memory, what real-time chunking does to jerk at the seams of its chunks, and how long pi0 thinks."""

from __future__ import annotations

import os
import resource
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from learned import folder_of
from rich.console import Console
from rich.table import Table

from tandem.bridge.contract import InvalidOption

ASKED = {
    "act_infer_x_lerobot": (">=", 1.5), "act_train_x_lerobot": (">=", 1.3), "act_difference": ("<", 1e-4),
    "cache_read_x_lerobot": (">=", 30), "loader_wait_fraction": ("<", 0.02), "rtc_seam_jerk_ratio": ("<", 0.5),
}
_LEFT_OUT = {
    "act_infer_x_lerobot": "peer not installed: make peers NAME=lerobot",
    "rtc_seam_jerk_ratio": "no trained flow policy",
}


@dataclass(frozen=True)
class PolicyBenchmark:
    """Speed and memory of learned policies and their training, beside LeRobot's."""

    policy: str | None = "flow"
    """A trained flow policy (its name or folder), for its own latency and for real-time chunking; None for an untrained
    one, without chunking."""
    task: str = "pick_place"
    """Task of the episodes that it drives."""
    seeds: int = 10
    """Episodes by real-time chunking, and as many in the open loop, with 200 ms charged for each thought."""
    executor: str = "rtc:horizon=5,mode=trained"
    """How chunks are joined there; mode=guided for a policy that was not trained with prefixes."""
    inferences: int = 20
    """Of ACT, in each turn."""
    steps: int = 4
    """Of learning ACT, in each turn."""
    batch: int = 8
    """Samples of such a step."""
    turns: int = 2
    """Of the peer; ours come before, between and after."""
    episodes: int = 2
    """Demonstrations that are recorded for the training cache."""
    samples: int = 200
    """That are read through LeRobot's loader, in each turn."""
    chunks: int = 100
    """Of the flow policy, for its latency."""
    peers: bool = True
    """Also run the peer: make peers NAME=lerobot."""

    def __post_init__(self):
        counts = (self.seeds, self.inferences, self.steps, self.batch, self.turns, self.episodes, self.samples)
        if min(*counts, self.chunks) < 1:
            raise InvalidOption("there is nothing to measure: every count is at least 1")

    def run(self) -> dict[str, float]:
        """Measure part after part, each told as it ends; return all figures."""
        from benchmarks import flow_speed  # torch comes with it
        from benchmarks.act_speed import ActSpeed
        from benchmarks.cache_speed import CacheSpeed
        from benchmarks.pi0 import pi0_figures

        from tandem.policies.learned.store import load_network

        trained = None if self.policy is None else folder_of(self.policy)
        if trained is not None:
            load_network(trained)  # a wrong folder is told before the work, not after it
        console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
        figures: dict[str, float] = {}

        def tell(part: str, found: dict[str, float]) -> None:
            figures.update(found)
            console.print(_table(part, found))

        with console.status("policies") as status, tempfile.TemporaryDirectory() as folder:
            speed = ActSpeed(self.inferences, self.steps, self.batch, self.turns)
            tell("ACT", speed.measure(self.peers, status.update))
            reading = CacheSpeed(self.episodes, self.samples, batch=64, batches=40, steps=40, turns=self.turns)
            found, lessons = reading.measure(Path(folder), self.peers, status.update)
            tell("training cache", found)
            status.update("the flow policy")
            tell("flow policy", flow_speed.latency(trained, lessons, self.task, self.chunks))
            if trained is not None:
                status.update("real-time chunking")
                seeds = range(60_000, 60_000 + self.seeds)
                tell("real-time chunking", flow_speed.chunking(trained, self.task, seeds, self.executor))
        figures |= pi0_figures(console)
        tell("this run", {"peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                          "load_per_core": os.getloadavg()[0] / (os.cpu_count() or 1)})
        for name, why in _LEFT_OUT.items():
            if name not in figures:
                console.print(f"{name} is not measured: {why}")
        return figures


def _table(part: str, figures: dict[str, float]) -> Table:
    table = Table("figure", "measured", "asked", title=part, title_justify="left")
    for name, value in figures.items():
        told = f"{value:.2e}" if name == "act_difference" else f"{value:.3f}" if value < 10 else f"{value:.1f}"
        sign, asked = ASKED.get(name, ("", ""))
        met = "" if not sign else value >= asked if sign == ">=" else value < asked
        table.add_row(name, told, "" if met == "" else f"{'[green]' if met else '[red]'}{sign} {asked}[/]")
    return table
