"""The loop around every training: steps, schedule, figures in a CSV, checkpoints, and going on where one stopped."""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn


@dataclass(frozen=True)
class Schedule:
    """How long and how fast.

    Attributes:
        steps: optimiser steps.
        rate: peak learning rate of AdamW; linear warm-up, then cosine to a hundredth.
        muon: peak rate of Muon, which then has the matrices between layers; 0 leaves them to AdamW.
        warm: steps of warm-up.
        decay: weight decay of matrices.
        every: steps between lines of the log.
        save: steps between checkpoints.
    """

    steps: int
    rate: float = 1e-3
    muon: float = 5e-3
    warm: int = 200
    decay: float = 0.02
    every: int = 20
    save: int = 500

    def times(self, share: float) -> Schedule:
        """The same with peak rates that much as high."""
        return replace(self, rate=share * self.rate, muon=share * self.muon)

    def share_at(self, step: int) -> float:
        """Share of the peak rate at a step."""
        if step < self.warm:
            return (step + 1) / self.warm
        share = (step - self.warm) / max(1, self.steps - self.warm)
        return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, share)))


class Training:
    """Optimises modules and remembers where it is.

    Args:
        modules: by name; their weights are trained and saved.
        schedule: how long.
        folder: for `checkpoint.pt` and `log.csv`; a checkpoint that is there is gone on from.
        say: told each line of figures.
        gentle: weights that AdamW changes at a share of the rate, whatever the schedule says of matrices: those right
            before a sharp loss, and those with very many inputs.
    """

    def __init__(self, modules: dict[str, nn.Module], schedule: Schedule, folder: Path,
                 say: Callable[[str], None] = lambda words: None, gentle: Mapping[nn.Parameter, float] | None = None):
        self._modules, self._schedule, self._folder, self._say = modules, schedule, folder, say
        folder.mkdir(parents=True, exist_ok=True)
        weights = [p for module in modules.values() for p in module.parameters() if p.requires_grad]
        self._weights = list({id(p): p for p in weights}.values())
        self._optimisers = _optimisers(self._weights, _tables(modules.values()), dict(gentle or {}), schedule)
        self._rates = [group["lr"] for optimiser in self._optimisers for group in optimiser.param_groups]
        self.step = 0
        self._load()

    def run(self, batches: Iterator[Any], loss_of: Callable[[Any], tuple[torch.Tensor, dict[str, float]]],
            check: Callable[[], dict[str, float]] | None = None, *, in_parts: bool = False) -> None:
        """Take the steps that are left. Ctrl-C saves before it is raised.

        Args:
            batches: what each step is taken on.
            loss_of: loss and figures of a batch, or of a part of it.
            check: figures of what is held out, told with every checkpoint.
            in_parts: each batch is a sequence, whose parts go through the model one after another and count the same.
        """
        began, since, sums = time.time(), self.step, {}
        try:
            while self.step < self._schedule.steps:
                batch = next(batches)
                figures = self._take_step(batch if in_parts else (batch,), loss_of)
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
        self, parts: Sequence[Any], loss_of: Callable[[Any], tuple[torch.Tensor, dict[str, float]]]
    ) -> dict[str, float]:
        groups = [group for optimiser in self._optimisers for group in optimiser.param_groups]
        for group, rate in zip(groups, self._rates, strict=True):
            group["lr"] = rate * self._schedule.share_at(self.step)
        for optimiser in self._optimisers:
            optimiser.zero_grad(set_to_none=True)
        told = []
        for part in parts:
            loss, figures = loss_of(part)
            (loss / len(parts)).backward()
            told.append({"loss": float(loss.detach()), **figures})
        norm = nn.utils.clip_grad_norm_(self._weights, 1.0)
        for optimiser in self._optimisers:
            optimiser.step()
        self.step += 1
        return {**{name: sum(figures[name] for figures in told) / len(told) for name in told[0]}, "norm": float(norm)}

    def _note(self, figures: dict[str, float], pace: float) -> None:
        words = " ".join(f"{name}={value:.4g}" for name, value in figures.items())
        self._say(f"step {self.step}/{self._schedule.steps} {pace:.2f}/s {words}")
        with open(self._folder / "log.csv", "a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([(self.step, name, value) for name, value in figures.items()])

    def save(self) -> None:
        """Write weights, optimiser and step; the old checkpoint stays until the new one is whole."""
        partial, whole = self._folder / "checkpoint.partial", self._folder / "checkpoint.pt"
        torch.save({
            "step": self.step, "optimisers": [optimiser.state_dict() for optimiser in self._optimisers],
            **{name: module.state_dict() for name, module in self._modules.items()},
        }, partial)
        partial.replace(whole)

    def _load(self) -> None:
        path = self._folder / "checkpoint.pt"
        if not path.exists():
            return
        saved = torch.load(path, weights_only=True)
        self.step = saved["step"]
        for optimiser, state in zip(self._optimisers, saved["optimisers"], strict=True):
            optimiser.load_state_dict(state)
        for name, module in self._modules.items():
            module.load_state_dict(saved[name])
        self._say(f"going on from step {self.step}")


def _tables(modules: Iterable[nn.Module]) -> set[int]:
    """Weights that are looked up row by row, or read pixels: no matrices between layers."""
    kinds = (nn.Embedding, nn.Conv3d)
    parts = [part for module in modules for part in module.modules() if isinstance(part, kinds)]
    return {id(weight) for part in parts for weight in part.parameters()}


def _optimisers(
    weights: list[nn.Parameter], tables: set[int], gentle: Mapping[nn.Parameter, float], schedule: Schedule
) -> list[torch.optim.Optimizer]:
    """Muon (Jordan 2024) for matrices between layers, in AdamW's scale of rates; AdamW for the rest."""
    apart = tables | {id(p) for p in gentle}
    between = [p for p in weights if p.ndim == 2 and id(p) not in apart] if schedule.muon else []
    taken = {id(p) for p in (*between, *gentle)}
    rest = [p for p in weights if id(p) not in taken]
    groups = [
        {"params": [p for p in rest if p.ndim > 1], "weight_decay": schedule.decay},
        {"params": [p for p in rest if p.ndim < 2], "weight_decay": 0.0},
        *({"params": [p], "weight_decay": schedule.decay, "lr": schedule.rate * share} for p, share in gentle.items()),
    ]
    groups = [group for group in groups if group["params"]]
    adam = torch.optim.AdamW(groups, lr=schedule.rate, betas=(0.9, 0.98))
    if not between:
        return [adam]
    muon = torch.optim.Muon(
        between, lr=schedule.muon, weight_decay=schedule.decay, momentum=0.95, adjust_lr_fn="match_rms_adamw"
    )
    return [muon, adam]
