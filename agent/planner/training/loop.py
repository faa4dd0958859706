"""The loop around every training: steps, schedule, figures in a CSV, checkpoints, and going on where one stopped."""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn


@dataclass(frozen=True)
class Schedule:
    """How long and how fast.

    Attributes:
        steps: optimiser steps.
        rate: peak learning rate; linear warm-up, then cosine to a hundredth.
        warm: steps of warm-up.
        decay: weight decay of matrices.
        every: steps between lines of the log.
        save: steps between checkpoints.
    """

    steps: int
    rate: float = 1e-3
    warm: int = 200
    decay: float = 0.02
    every: int = 20
    save: int = 500

    def rate_at(self, step: int) -> float:
        """Learning rate of a step."""
        if step < self.warm:
            return self.rate * (step + 1) / self.warm
        share = (step - self.warm) / max(1, self.steps - self.warm)
        return self.rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, share))))


class Training:
    """Optimises modules and remembers where it is.

    Args:
        modules: by name; their weights are trained and saved.
        schedule: how long.
        folder: for `checkpoint.pt` and `log.csv`; a checkpoint that is there is gone on from.
        say: told each line of figures.
    """

    def __init__(self, modules: dict[str, nn.Module], schedule: Schedule, folder: Path,
                 say: Callable[[str], None] = lambda words: None):
        self._modules, self._schedule, self._folder, self._say = modules, schedule, folder, say
        folder.mkdir(parents=True, exist_ok=True)
        weights = [p for module in modules.values() for p in module.parameters() if p.requires_grad]
        unique = list({id(p): p for p in weights}.values())
        self._weights = unique
        matrices, others = [p for p in unique if p.ndim > 1], [p for p in unique if p.ndim < 2]
        self._optimiser = torch.optim.AdamW(
            [{"params": matrices, "weight_decay": schedule.decay}, {"params": others, "weight_decay": 0.0}],
            lr=schedule.rate, betas=(0.9, 0.98),
        )
        self.step = 0
        self._load()

    def run(self, batches: Iterator[Any], loss_of: Callable[[Any], tuple[torch.Tensor, dict[str, float]]],
            check: Callable[[], dict[str, float]] | None = None) -> None:
        """Take the steps that are left. Ctrl-C saves before it is raised."""
        began, since, sums = time.time(), self.step, {}
        try:
            while self.step < self._schedule.steps:
                figures = self._take_step(next(batches), loss_of)
                for name, value in figures.items():
                    sums.setdefault(name, []).append(value)
                if self.step % self._schedule.every == 0:
                    pace = (self.step - since) / (time.time() - began)
                    self._note({name: sum(values) / len(values) for name, values in sums.items()}, pace)
                    sums = {}
                if self.step % self._schedule.save == 0:
                    self.save()
                    if check:
                        self._note({f"check_{name}": value for name, value in check().items()}, 0.0)
        finally:
            self.save()

    def _take_step(
        self, batch: Any, loss_of: Callable[[Any], tuple[torch.Tensor, dict[str, float]]]
    ) -> dict[str, float]:
        for group in self._optimiser.param_groups:
            group["lr"] = self._schedule.rate_at(self.step)
        loss, figures = loss_of(batch)
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self._weights, 1.0)
        self._optimiser.step()
        self.step += 1
        return {"loss": float(loss.detach()), "norm": float(norm), **figures}

    def _note(self, figures: dict[str, float], pace: float) -> None:
        words = " ".join(f"{name}={value:.4g}" for name, value in figures.items())
        self._say(f"step {self.step}/{self._schedule.steps} {pace:.2f}/s {words}")
        with open(self._folder / "log.csv", "a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([(self.step, name, value) for name, value in figures.items()])

    def save(self) -> None:
        """Write weights, optimiser and step; the old checkpoint stays until the new one is whole."""
        partial, whole = self._folder / "checkpoint.partial", self._folder / "checkpoint.pt"
        torch.save({
            "step": self.step, "optimiser": self._optimiser.state_dict(),
            **{name: module.state_dict() for name, module in self._modules.items()},
        }, partial)
        partial.replace(whole)

    def _load(self) -> None:
        path = self._folder / "checkpoint.pt"
        if not path.exists():
            return
        saved = torch.load(path, weights_only=True)
        self.step = saved["step"]
        self._optimiser.load_state_dict(saved["optimiser"])
        for name, module in self._modules.items():
            module.load_state_dict(saved[name])
        self._say(f"going on from step {self.step}")
