"""The training loop: what it needs to go on is in one checkpoint, and what it then does is the same to the bit.

The k-th batch and its noise are drawn from the seed and k; nothing random is carried from step to step. The average of
the weights (EMA) is what is evaluated and stored.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn

from tandem.policies.learned.manifest import Manifest
from tandem.policies.learned.network import Lesson
from tandem.policies.learned.store import save_policy
from tandem.policies.learned.training import checkpoint
from tandem.policies.learned.training.curves import Curves
from tandem.policies.learned.training.feed import Feed
from tandem.policies.learned.training.lessons import Augment, Lessons
from tandem.policies.learned.training.undivided import undivided

POLICY, MANIFEST = "policy", "manifest.json"


@dataclass(frozen=True)
class Schedule:
    """How long and how fast.

    Attributes:
        steps: optimiser steps.
        batch: samples of a step, on each GPU.
        rate: peak learning rate of AdamW; linear warm-up, then cosine to a fiftieth.
        warm: steps of warm-up.
        decay: weight decay of matrices.
        ema: how much of the average a step keeps, at most; early on it keeps less.
        every: steps between figures.
        save: steps between checkpoints.
        held_out: samples that are not learned from and looked at with each checkpoint.
    """

    steps: int = 3000
    batch: int = 64
    rate: float = 1e-3
    warm: int = 150
    decay: float = 0.02
    ema: float = 0.998
    every: int = 10
    save: int = 200
    held_out: int = 256

    def share_at(self, step: int) -> float:
        """Share of the peak rate at a step."""
        if step < self.warm:
            return (step + 1) / self.warm
        share = (step - self.warm) / max(1, self.steps - self.warm)
        return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, share)))


class _Learner(nn.Module):
    """The network whose forward pass is its loss: what several GPUs share."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, lesson: Lesson, generator: torch.Generator) -> tuple[torch.Tensor, Mapping[str, torch.Tensor]]:
        return self.network.loss(lesson, generator)


class Training:
    """Trains a network and remembers where it is.

    Args:
        network: with random weights, or those to begin with.
        manifest: that it is made for.
        lessons: to learn from.
        held_out: to check on, None for none.
        schedule: how long.
        folder: for the checkpoint, the curves, and the policy as it is used; what is there is gone on from.
        seed: of batches and noise.
        augment: how much samples are varied.
        precision: "no" or "bf16".
        compiled: fuse operations.

    Attributes:
        step: how many are done.

    Raises `ModelUnusable` when the checkpoint that is there is of another network.
    """

    def __init__(
        self, network: nn.Module, manifest: Manifest, lessons: Lessons, held_out: Lessons | None, schedule: Schedule,
        folder: Path, *, seed: int = 0, augment: Augment | None = None, precision: str = "no", cpu: bool = False,
        compiled: bool = False,
    ):
        self._accelerator = Accelerator(mixed_precision=precision, cpu=cpu)
        self._manifest, self._lessons, self._held_out = manifest, lessons, held_out
        self._schedule, self._folder, self._seed, self._augment = schedule, folder, seed, augment or Augment()
        self._network, self._average = network, deepcopy(network).requires_grad_(False).eval()
        learner = _Learner(network)
        self._optimiser = torch.optim.AdamW(
            _groups(network, schedule.decay), lr=schedule.rate, betas=(0.9, 0.98), fused=True
        )
        folder.mkdir(parents=True, exist_ok=True)
        self.step = checkpoint.read(folder, *self._kept())
        self._stored: int | None = None
        learner, self._optimiser = self._accelerator.prepare(learner, self._optimiser)
        self._learner = torch.compile(learner) if compiled else learner
        self._average.to(self._accelerator.device)
        self._curves = Curves(folder, until=self.step) if self._accelerator.is_main_process else None

    def run(self, tell: Callable[[int, Mapping[str, float]], None] = lambda step, figures: None) -> None:
        """Take the steps that are left; Ctrl-C and whatever else ends it leave a checkpoint of the last whole step."""
        feed = Feed(self._batch, self.step)
        sums: list[dict[str, float]] = []
        began_s, since, waited_s = time.perf_counter(), self.step, 0.0
        try:
            while self.step < self._schedule.steps:
                sums.append(self._take_step(feed.next()))
                last = self.step == self._schedule.steps
                if last or self.step % self._schedule.every == 0:
                    now_s = time.perf_counter()
                    figures = {name: float(np.mean([one[name] for one in sums])) for name in sums[0]}
                    figures["steps_per_s"] = (self.step - since) / (now_s - began_s)
                    figures["waited"] = (feed.waited_s - waited_s) / (now_s - began_s)
                    began_s, since, waited_s, sums = now_s, self.step, feed.waited_s, []
                    self._note(figures, tell)
                if last or self.step % self._schedule.save == 0:
                    self.save()
                    self._note(self.check(), tell)
        finally:
            feed.close()
            if self._stored != self.step:
                self.save()

    def _batch(self, step: int) -> Lesson:
        rank = self._accelerator.process_index
        rng = np.random.default_rng((self._seed, step, rank))
        rows = rng.integers(0, len(self._lessons), self._schedule.batch)
        return self._lessons.lesson(rows, self._manifest, rng, self._augment)

    def _take_step(self, lesson: Lesson) -> dict[str, float]:
        share = self._schedule.share_at(self.step)
        for group in self._optimiser.param_groups:
            group["lr"] = self._schedule.rate * share
        generator = torch.Generator().manual_seed((self._seed * 1_000_003 + self.step) * 64
                                                  + self._accelerator.process_index)
        self._optimiser.zero_grad(set_to_none=True)
        self._network.train()
        with self._accelerator.autocast():
            loss, figures = self._learner(lesson.to(self._accelerator.device), generator)
        self._accelerator.backward(loss)
        norm = self._accelerator.clip_grad_norm_(self._network.parameters(), 1.0)
        with undivided():
            self._optimiser.step()
            self._follow()
            self.step += 1
        return {"loss": float(loss.detach()), **{name: float(value) for name, value in figures.items()},
                "norm": float(norm), "rate": self._schedule.rate * share}

    def _follow(self) -> None:
        """Move the average a little."""
        keep = min(self._schedule.ema, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            mine, theirs = list(self._average.parameters()), list(self._network.parameters())
            torch._foreach_lerp_(mine, theirs, 1 - keep)
            for mine_b, theirs_b in zip(self._average.buffers(), self._network.buffers(), strict=True):
                mine_b.copy_(theirs_b)

    @torch.no_grad()
    def check(self) -> dict[str, float]:
        """Figures of what is held out, by the average: the loss, and how far its answers are from what was wanted."""
        if self._held_out is None:
            return {}
        count = min(self._schedule.held_out, len(self._held_out))
        rows = np.random.default_rng(1).permutation(len(self._held_out))[:count]
        sums: list[dict[str, float]] = []
        for begin in range(0, count, 64):
            lesson = self._held_out.lesson(rows[begin : begin + 64], self._manifest, None, self._augment)
            generator = torch.Generator().manual_seed(begin)
            _, figures = self._average.loss(lesson.to(self._accelerator.device), generator)
            sums.append({name: float(value) for name, value in figures.items()})
        return {f"held_out_{name}": float(np.mean([one[name] for one in sums])) for name in sums[0]}

    def _note(self, figures: Mapping[str, float], tell: Callable[[int, Mapping[str, float]], None]) -> None:
        if self._curves is not None and figures:
            self._curves.add(self.step, figures)
            tell(self.step, figures)

    def save(self) -> None:
        """Write the checkpoint, the policy, and the curves as a picture; what was there stays until that is whole."""
        if not self._accelerator.is_main_process:
            return
        checkpoint.write(self._folder, self.step, *self._kept())
        samples = self.step * self._schedule.batch * self._accelerator.num_processes
        about = {**self._manifest.about, "steps": self.step, "samples": samples}
        save_policy(self._folder / POLICY, _with(self._manifest, about), self._average)
        self._curves.draw()
        self._stored = self.step

    def _kept(self) -> tuple[dict[str, torch.Tensor], dict[str, nn.Parameter], torch.optim.Optimizer]:
        """What a checkpoint holds: the network and its average, and what the optimiser remembers."""
        weights = {
            f"{which}.{name}": weight for which, network in (("network", self._network), ("average", self._average))
            for name, weight in network.state_dict().items()
        }
        return weights, dict(self._network.named_parameters()), self._optimiser


def _with(manifest: Manifest, about: dict[str, Any]) -> Manifest:
    plain = manifest.to_dict()
    return Manifest.from_dict({**plain, "about": about})


def _groups(network: nn.Module, decay: float) -> list[dict[str, Any]]:
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    return [
        {"params": [weight for weight in weights if weight.ndim > 1], "weight_decay": decay},
        {"params": [weight for weight in weights if weight.ndim < 2], "weight_decay": 0.0},
    ]
