"""Train a policy from demonstrations: logs of collect.py or of any episode, or datasets in LeRobot's format.

    python launch/collect.py --tasks pick_place sort --episodes 200 --out data/demonstrations
    python launch/train.py --data data/demonstrations --folder runs/flow
    python launch/episode.py --task sort --policy runs/flow/policy
    accelerate launch launch/train.py --data data/demonstrations --folder runs/flow
    python launch/train.py --data data/demonstrations --folder runs/pi0 --policy pi0:lerobot/pi0_base --rate 1e-4

The folder holds the policy as it is (policy/), the checkpoint, and the curves (curves.csv, curves.png). Ctrl-C leaves
all of it, and the same command goes on, as if nothing had happened, to the bit.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tyro
from rich.console import Console
from script import run
from training.board import Board

from tandem.bridge.contract import InvalidOption


@dataclass(frozen=True)
class Options:
    """From what, into which folder, how long, how large."""

    data: tuple[Path, ...]
    """Folders of logs, single logs, or datasets in LeRobot's format."""
    folder: Path
    """Checkpoint, curves and the policy; what is there is gone on from."""
    architecture: Literal["flow", "act"] = "flow"
    """Network: flow (flow matching), act (conditional variational autoencoder)."""
    policy: str | None = None
    """Instead of a network of its own, a vision-language-action model to fine-tune with LoRA: pi0:BASE, a folder or hub
    id, with #MAP for other keys than the usual ones. The horizon is then the model's own."""
    settings: str = "{}"
    """Settings of the network that are not its defaults, as JSON, such as '{"dim": 256}'; with --policy those of the
    adapters: rank, alpha, dropout, eyes, parts (of a batch, one after another), tokenizer."""
    layout: Literal["tool", "joint"] = "tool"
    """What the numbers of a point are: tool (where the tool goes, seen from where it is), joint (joints)."""
    horizon: int = 8
    """Points of a chunk."""
    stride: int = 2
    """Control steps from one point to the next."""
    cache: Path = Path("data/cache")
    """Where decoded frames are kept, mapped into memory."""
    skill: str = "pick"
    """What the episodes of a dataset show; logs say it themselves."""
    steps: int = 3000
    """Optimiser steps."""
    batch: int = 64
    """Samples of a step, in each process."""
    rate: float = 1e-3
    """Peak learning rate."""
    hold_out: int = 20
    """Of every so many episodes the last is checked on and not learned from, 2 at least; 0 learns from all."""
    start: Path | None = None
    """A stored policy whose weights to begin with."""
    device: Literal["auto", "cpu"] = "auto"
    """auto takes a GPU if there is one."""
    precision: Literal["auto", "no", "bf16"] = "auto"
    """bf16 mixes bfloat16 in; auto does on a GPU."""
    compiled: bool | None = None
    """Fuse operations (torch.compile); without a choice on a GPU only."""
    threads: int = 2
    """Processor threads."""
    seed: int = 0
    """Of weights, batches and noise."""

    def __post_init__(self):
        if min(self.horizon, self.stride, self.steps, self.batch, self.threads) < 1 or not self.rate > 0:
            raise InvalidOption("--horizon, --stride, --steps, --batch, --threads and --rate must be positive")
        if self.hold_out < 0 or self.hold_out == 1:
            raise InvalidOption(f"--hold-out is 0 (learns from all) or at least 2 episodes, got {self.hold_out}")
        if self.seed < 0:
            raise InvalidOption(f"--seed is a whole number of at least 0, got {self.seed}")
        if not isinstance(self.given, dict):
            raise InvalidOption(f"--settings is no JSON object: {self.settings}")

    @property
    def given(self) -> dict[str, Any]:
        """The settings of the network."""
        try:
            return json.loads(self.settings)
        except ValueError as reason:
            raise InvalidOption(f"--settings is no JSON object: {reason}") from reason


def main(options: Options) -> int:
    if options.policy is None:
        from training.setup import prepared  # torch comes with it
    else:
        from training.pi0 import prepared
    from training.together import joined

    processes = joined(options.device)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 150, quiet=not processes.is_main_process)
    training = prepared(options, console, processes)
    try:
        with Board(console, options.steps, training.step) as board:
            training.run(board.show)
    except KeyboardInterrupt:
        console.print(f"[yellow]stopped[/] at step {training.step}; the same command goes on from there")
        return 130
    processes.destroy_process_group()
    policy = options.folder / "policy"
    console.print(f"done at step {training.step}: {policy}; python launch/episode.py --policy {policy}")
    return 0


if __name__ == "__main__":
    run(lambda: main(tyro.cli(Options, description=__doc__)), orderly=True)
