"""Teaches any open checkpoint with low-rank adapters, from the embedded model's data or from episodes that went well.

The questions are rendered as deployment renders them, one at a time, so that every family that backend 1 loads can be
taught; the gradients of several make a step. What comes out is the adapter, and a folder for `--planner`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from tandem.agent.planner.in_process.load import Loaded
from tandem.agent.planner.terse import terse
from tandem.agent.planner.training.exchange import Clerk, Exchange, answer_loss
from tandem.agent.planner.training.loop import Schedule, Training
from tandem.agent.planner.training.lora import Lora, attach
from tandem.agent.planner.training.merge import write_adapter, write_merged
from tandem.agent.planner.training.samples import Sample
from tandem.bridge.checkpoints import digest_of
from tandem.bridge.contract import InvalidOption, ModelUnusable

TRIES = 100  # draws that may give nothing, one after another
CHECKED = 16  # held-out samples
Say = Callable[[str], None]


class Source(Protocol):
    """Where samples come from."""

    def draw(self, rng: np.random.Generator) -> Sample | None:
        """A sample; None when what was drawn gives none."""

    def describe(self) -> dict[str, Any]:
        """What it is, plain types."""


@dataclass(frozen=True)
class Adaptation:
    """How a model is taught.

    Attributes:
        schedule: steps and rates; `muon` must be 0.
        lora: what is added.
        batch: samples in a step.
        longest: tokens of question and answer; what is longer is left out.
        settings: how the taught model is asked, for its `tandem.json`.
        checkpointing: compute activations again rather than keep them: slower, with far less memory.
        seed: of the adapters and of the draws.
    """

    schedule: Schedule
    lora: Lora = field(default_factory=Lora)
    batch: int = 8
    longest: int = 4096
    settings: Mapping[str, bool] = field(default_factory=dict)
    checkpointing: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.batch < 1 or self.longest < 1 or self.schedule.steps < 1 or self.schedule.muon:
            raise InvalidOption(f"adapting takes at least one step, sample and token, and AdamW alone, got {self}")


def adapt(
    loaded: Loaded, sources: Mapping[str, tuple[float, Source]], how: Adaptation, folder: Path, say: Say,
    held_out: Source | None = None,
) -> Path:
    """Teach a model, and write what it became. Stopped with Ctrl-C it goes on when it is called again.

    Args:
        loaded: the model; it is changed in place.
        sources: of samples by name, each with its share.
        how: options.
        folder: gets `training/` (checkpoint, figures), `adapter/` and `merged/`.
        say: told each line of figures.
        held_out: samples to check with at every checkpoint.

    Returns: the folder for `--planner`.

    Raises:
        ModelUnusable: nothing in the model can be adapted.
        InvalidOption: no samples, or the folder holds another training.
    """
    about = _about(loaded, sources, how)
    _begin(folder, about)
    adapted = attach(loaded, how.lora, how.seed)
    if how.checkpointing:
        loaded.model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    weights = nn.ParameterList([weight for weight in adapted.parameters() if weight.requires_grad])
    trained = sum(weight.numel() for weight in weights)
    say(f"{trained:,} weights are trained, {100 * trained / adapted.num_parameters():.2f} % of all")
    desk = _Desk(Clerk(loaded), sources, how)
    loaded.model.train()
    training = Training({"adapter": weights}, how.schedule, folder / "training", say)
    check = _check(loaded.model, desk, held_out) if held_out is not None else None
    training.run(desk.batches(training), lambda part: answer_loss(loaded.model, part), check, in_parts=True)
    loaded.model.eval()
    if desk.too_long:
        say(f"{desk.too_long} samples were longer than {how.longest} tokens and left out")
    write_adapter(adapted, folder / "adapter")
    return write_merged(adapted, loaded, folder / "merged", how.settings, {**about, "trained_weights": trained})


class _Desk:
    """Draws samples and writes them down for the model."""

    def __init__(self, clerk: Clerk, sources: Mapping[str, tuple[float, Source]], how: Adaptation):
        self._clerk, self._how, self.too_long = clerk, how, 0
        self._sources = [source for _, source in sources.values()]
        shares = np.array([share for share, _ in sources.values()], float)
        if not len(shares) or shares.min() < 0 or not shares.sum():
            raise InvalidOption("there is nothing to learn from: give data, logs, or both, with shares above 0")
        self._shares = shares / shares.sum()

    def batches(self, training: Training) -> Iterator[list[Exchange]]:
        """Of each step. They depend on the seed and the step alone, so that going on is the same as going through."""
        while True:
            rng = np.random.default_rng([self._how.seed, training.step])
            drawn = [self.draw(self._sources[rng.choice(len(self._shares), p=self._shares)], rng)
                     for _ in range(self._how.batch)]
            torch.manual_seed(int(rng.integers(2**63)))  # of what dropout leaves out
            yield drawn

    def draw(self, source: Source, rng: np.random.Generator) -> Exchange:
        """One sample as the model reads it."""
        for _ in range(TRIES):
            sample = source.draw(rng)
            if sample is None:
                continue
            asked = terse(sample.question) if self._how.settings.get("terse") else sample.question
            exchange = self._clerk.write(Sample(asked, sample.answer))
            if exchange.whole.ids.shape[1] <= self._how.longest:
                return exchange
            self.too_long += 1
        raise InvalidOption(
            f"{TRIES} draws of {source.describe()} gave no sample of at most {self._how.longest} tokens: allow longer "
            "ones, or give other data"
        )


def _check(model: nn.Module, desk: _Desk, held_out: Source) -> Callable[[], dict[str, float]]:
    rng = np.random.default_rng(0)
    drawn = [desk.draw(held_out, rng) for _ in range(CHECKED)]

    @torch.no_grad()
    def check() -> dict[str, float]:
        model.eval()
        parts = [(float(loss), figures["right"]) for loss, figures in (answer_loss(model, one) for one in drawn)]
        model.train()
        return dict(zip(("loss", "right"), (float(column.mean()) for column in np.array(parts).T), strict=True))

    return check


def _about(loaded: Loaded, sources: Mapping[str, tuple[float, Source]], how: Adaptation) -> dict[str, Any]:
    """What a model was made of, plain types."""
    checkpoint = loaded.checkpoint
    return {
        "adapted_from": {"id": checkpoint.name, "revision": checkpoint.revision, "family": checkpoint.family.name,
                         "digest": digest_of(loaded.digests), "weights": dict(loaded.digests)},
        "data": {name: {"share": share, **source.describe()} for name, (share, source) in sources.items()},
        "steps": how.schedule.steps, "rate": how.schedule.rate, "batch": how.batch, "longest": how.longest,
        "seed": how.seed, "lora": asdict(how.lora), "settings": dict(how.settings),
    }


def _begin(folder: Path, about: Mapping[str, Any]) -> None:
    """Write down what is trained here, or see that it is the same as before. More steps and data may be given."""
    path, same = folder / "training" / "about.json", ("adapted_from", "lora", "settings", "seed")
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        return
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as reason:
        raise ModelUnusable(f"{path} is damaged: {reason}. Choose another folder") from reason
    for name in same:
        if before.get(name) != json.loads(json.dumps(about[name])):
            raise InvalidOption(
                f"{folder} holds the training of another adapter: its {name} was {before.get(name)} and is "
                f"{about[name]}; choose another folder (--to)"
            )
