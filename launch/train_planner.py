"""Train planners: the embedded model from scratch on our own simulator, or any open checkpoint by an adapter.

    python launch/train_planner.py data --folder data/planner
    python launch/train_planner.py train --data data/planner --folder runs/planner
    python launch/train_planner.py export --folder runs/planner --to agent/planner/tiny
    python launch/train_planner.py average --of runs/one runs/other --to runs/both
    python launch/train_planner.py evaluate --data data/planner
    python launch/train_planner.py adapt --base Qwen/Qwen3-VL-4B-Instruct --data data/planner --to runs/adapted

Everything can be stopped with Ctrl-C and goes on where it was when it is called again.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from planner_training.adapt import Adapt
from planner_training.evaluate import Evaluate
from planner_training.snapshots import Snapshots, generate
from rich.console import Console
from script import run

from tandem.agent.planner.training import stages
from tandem.agent.planner.training.export import average
from tandem.agent.planner.training.loop import Schedule
from tandem.bridge.contract import InvalidOption


@dataclass(frozen=True)
class Data:
    """Generate pictures and records from the simulator: all tasks, robots and lights, infeasible cases, mishaps."""

    folder: Path = Path("data/planner")
    """Where the shards go; those that are there are kept."""
    pictures: int = 40
    """Shards with pictures, about 590 each (30 MB); the first is held out."""
    records: int = 40
    """Shards without pictures, about 1,200 records each (1 MB); the first is held out."""
    workers: int = 1
    """Processes."""

    def run(self, console: Console) -> None:
        generate(Snapshots(self.folder / "pictures", worlds=200), self.pictures, workers=self.workers)
        records = Snapshots(self.folder / "records", worlds=400, pictures=False)
        generate(records, self.records, first=5000, workers=self.workers)


@dataclass(frozen=True)
class Train:
    """Train the embedded model, stage by stage."""

    data: Path = Path("data/planner")
    """What `data` generated."""
    folder: Path = Path("runs/planner")
    """Checkpoints and logs."""
    start: Path | None = None
    """An exported checkpoint to go on from, such as agent/planner/tiny; random weights if left out."""
    see: int = 14000
    """Steps of the vision tower on windows of pictures; 0 leaves a stage as it is."""
    survey: int = 600
    """Steps of the same on whole pictures."""
    think: int = 4000
    """Steps of the text tower with pictures that it imagines; needs no eyes, so it may run beside the two before."""
    look: int = 800
    """Steps of the text tower with what the eyes make of real pictures."""
    batch: int = 32
    """Samples per step."""
    rate: float = 1.0
    """Learning rates, as a share of those that suit random weights; about 0.5 with --start."""
    device: str = "auto"
    """cpu or cuda; auto takes a GPU if there is one."""
    threads: int = 2
    """Processor threads."""
    workers: int = 0
    """Processes that make batches; with a GPU, one for each core that is free."""
    compiled: bool = False
    """Fuse operations (torch.compile, needs a C++ compiler): a third faster, after some minutes."""
    seed: int = 0
    """Of weights and draws."""

    def run(self, console: Console) -> None:
        import torch

        torch.set_num_threads(self.threads)
        device = ("cuda" if torch.cuda.is_available() else "cpu") if self.device == "auto" else self.device
        if device not in ("cpu", "cuda"):
            raise InvalidOption(f"--device must be auto, cpu or cuda, got {self.device!r}")
        shop = stages.Workshop(self.data, self.folder, device, self.seed, self.workers, self.compiled, self.start)
        stages.learn_words(shop)
        for name, learn in _STAGES.items():
            if steps := getattr(self, name):
                console.rule(name)
                learn(shop, Schedule(steps).times(self.rate), self.batch, console.print)


_STAGES = {
    "see": stages.learn_to_see, "survey": stages.learn_to_survey, "think": stages.learn_to_think,
    "look": stages.learn_to_look,
}


@dataclass(frozen=True)
class Export:
    """Write the trained model as a checkpoint that --planner can load."""

    folder: Path = Path("runs/planner")
    """What `train` wrote."""
    to: Path = Path("agent/planner/tiny")
    """Folder of the checkpoint."""

    def run(self, console: Console) -> None:
        stages.export_model(stages.Workshop(Path(), self.folder), self.to)
        console.print(f"written: {self.to}")


@dataclass(frozen=True)
class Average:
    """Average exported checkpoints, weight by weight: runs side by side from one start, better than each of them."""

    of: tuple[Path, ...]
    """Folders of checkpoints."""
    to: Path
    """Folder of the average."""

    def run(self, console: Console) -> None:
        average(self.of, self.to)
        console.print(f"written: {self.to}")


Command = (
    Annotated[Data, tyro.conf.subcommand("data")]
    | Annotated[Train, tyro.conf.subcommand("train")]
    | Annotated[Export, tyro.conf.subcommand("export")]
    | Annotated[Average, tyro.conf.subcommand("average")]
    | Annotated[Evaluate, tyro.conf.subcommand("evaluate")]
    | Annotated[Adapt, tyro.conf.subcommand("adapt")]
)


if __name__ == "__main__":
    run(lambda: tyro.cli(Command, description=__doc__).run(Console(highlight=False)))
