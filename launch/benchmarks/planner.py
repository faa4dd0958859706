"""How fast and how reliably a planner plans on this machine; on a GPU also Qwen3-VL-8B against plain `generate`."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from composition import System, load_models
from minds import TINY, importing, settings_of
from rich.console import Console
from rich.progress import track
from rich.table import Table
from swap_kit.planning import plan_all
from swap_kit.scenes import shots

from tandem.agent.planner.planner import ModelPlanner
from tandem.bridge.contract import InvalidOption

FIRST_SEED = 30_000


@dataclass(frozen=True)
class PlannerBenchmark:
    """Seconds of a plan, valid plans, families; on a GPU the speed of a model of 8 billion parameters."""

    planner: str = "tiny"
    """Planner: as for an episode."""
    device: str = "auto"
    """Where it runs: auto, cuda, cpu, mps."""
    plans: int = 20
    """Plans for the median."""
    valid: int = 50
    """Plans at temperature 1 that have to be valid."""
    families: bool = True
    """Also try every family of open models on a small checkpoint."""
    large: bool = True
    """Also measure Qwen3-VL-8B, where there is a GPU with 40 GB."""

    def run(self) -> dict[str, float]:
        """Measure, print the table, return the figures."""
        if min(self.plans, self.valid) < 1:
            raise InvalidOption("--plans and --valid must be at least 1")
        console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
        with importing(self.planner), _planner_of(self.planner, console) as planner:
            figures = self._plans(planner, console)
            if self.families:
                figures |= _families(console)
            if self.large:
                figures |= _large(console)
        table = Table(title="planner", title_justify="left")
        table.add_column("figure")
        table.add_column("value", justify="right")
        for name, value in figures.items():
            table.add_row(name, f"{value:.3g}")
        console.print(table)
        return figures

    def _plans(self, name: str, console: Console) -> dict[str, float]:
        cold, hot = (self._make(name, temperature) for temperature in (0.0, 1.0))
        tables = list(track(
            shots("panda", max(self.plans, 8), first_seed=FIRST_SEED), "rendering", max(self.plans, 8),
            console=console, transient=True,
        ))
        plan_all(cold, [tables[0].request])  # what is done once is not counted
        timed = plan_all(cold, [shot.request for shot in tables[: self.plans]])
        asked = [tables[k % len(tables)].request for k in range(self.valid)]
        tried = plan_all(hot, list(track(asked, "planning", console=console, transient=True)))
        for reason in tried.failed[:3]:
            console.print(f"no valid plan: {reason}", markup=False)
        return {"plan_s_p50": timed.p50_s, "valid_plans": len(tried.plans) / self.valid}

    def _make(self, name: str, temperature: float) -> ModelPlanner:
        model, _ = load_models(System(planner=name, device=self.device, temperature=temperature))
        return ModelPlanner(model, **settings_of(name))


@contextmanager
def _planner_of(name: str, console: Console) -> Iterator[str]:
    """The planner, or a small model with random weights while the embedded one is not there."""
    if name != "tiny" or TINY.is_dir():
        yield name
        return
    from benchmarks.small_families import build

    console.print("The embedded model is not there: a small Qwen3-VL with random weights is measured in its place.")
    with tempfile.TemporaryDirectory() as folder:
        yield str(build("qwen3_vl", Path(folder)))


def _families(console: Console, plans: int = 3) -> dict[str, float]:
    """How many families plan: all their model types, whatever the weights."""
    from benchmarks.small_families import small_families

    good: dict[str, bool] = {}
    for family, model_type, valid in small_families(plans):
        good[family] = good.get(family, True) and valid == plans
        if valid < plans:
            console.print(f"{family} ({model_type}): {plans - valid} of {plans} plans are not valid")
    console.print(f"families that plan: {', '.join(family for family, plans_well in good.items() if plans_well)}")
    return {"families": float(sum(good.values()))}


def _large(console: Console) -> dict[str, float]:
    """Qwen3-VL-8B on a GPU; without one it says so."""
    import torch
    from benchmarks import eight_billion

    there = torch.cuda.get_device_properties(0).total_memory if torch.cuda.is_available() else 0
    if there < eight_billion.NEEDS_BYTES:
        console.print(f"Qwen3-VL-8B is not measured: it needs a GPU with {eight_billion.NEEDS_BYTES / 1e9:.0f} GB, "
                      f"there {'is none' if not there else f'are {there / 1e9:.0f} GB'}.")
        return {}
    from benchmarks.generation import measure

    from tandem.agent.planner.in_process.model import InProcessModel
    from tandem.agent.planner.in_process.options import Options

    with tempfile.TemporaryDirectory() as folder:
        eight_billion.write(Path(folder))
        torch.cuda.empty_cache()
        found = measure(InProcessModel(folder, Options(device="cuda", dtype="bfloat16")))
    steps_per_s, floor = 1 / found.step_s, 1 / found.floor_s
    console.print(
        f"Qwen3-VL-8B, random weights, bfloat16, {torch.cuda.get_device_name(0)}: a plan of 4 steps in "
        f"{found.plan_s:.3f} s, plain generate {found.generate_s:.3f} s; tokens {found.tokens}; "
        f"{steps_per_s:.0f} steps/s, the memory allows {floor:.0f}; {found.peak_bytes / 1e9:.1f} GB at most"
    )
    return {
        "plan_s_p50_8b": found.plan_s, "generate_s_p50_8b": found.generate_s, "speedup_generate_8b": found.speedup,
        "bandwidth_fraction_8b": found.bandwidth_fraction, "tokens_per_s_8b": steps_per_s,
        "floor_tokens_per_s_8b": floor, "peak_gb_8b": found.peak_bytes / 1e9,
    }
