"""Endless batches of the four kinds of questions with their answers, as tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from tandem.agent.planner.canvas import Canvas
from tandem.agent.planner.terse import terse
from tandem.agent.planner.training import samples
from tandem.agent.planner.training.augment import tone
from tandem.agent.planner.training.chat import Tokens, lay_out
from tandem.agent.planner.training.language import Batch, collate
from tandem.agent.planner.training.sources import ROUND, Sources, varied

LONGEST = 760  # tokens: what is longer is left out
POOLED = 8  # batches that are sorted by length together, so that little is padded
MIX: Mapping[str, float] = {"perceive": 0.5, "plan": 0.375, "judge": 0.125}


@dataclass(frozen=True, eq=False)
class Writer:
    """Turns what is known into tokens of questions and answers.

    Attributes:
        tokenizer: of the model.
        canvas: of the pictures.
        cells: visual tokens of a picture.
        pad: token that fills up.
    """

    tokenizer: Tokenizer
    canvas: Canvas
    cells: int
    pad: int

    def draw(self, kind: str, sources: Sources, rng: np.random.Generator, *, vary: bool) -> Tokens | None:
        """One sample of a kind; None when what was drawn gives none."""
        sample = SAMPLES[kind](sources, self.canvas, rng, vary)
        if sample is None:
            return None
        tokens = lay_out(replace(sample, question=terse(sample.question)), self.tokenizer, self.cells)
        return tokens if len(tokens.ids) <= LONGEST else None

    def several(
        self, kind: str, count: int, sources: Sources, rng: np.random.Generator, *, vary: bool = True
    ) -> list[Tokens]:
        """As many samples of a kind, the shortest first."""
        found: list[Tokens] = []
        while len(found) < count:
            tokens = self.draw(kind, sources, rng, vary=vary)
            if tokens is not None:
                found.append(tokens)
        return sorted(found, key=lambda tokens: len(tokens.ids))

    def batch(self, kind: str, drawn: Sequence[Tokens]) -> Batch:
        """Side by side; perceived coordinates get soft targets."""
        return collate(drawn, [kind == "perceive"] * len(drawn), self.pad)


def language_batches(
    folder: Path, writer: Writer, size: int, mix: Mapping[str, float], rng: np.random.Generator
) -> Iterator[Batch]:
    """Batches of one kind each, kinds in the shares of `mix`; a judge's have two pictures and are half as large."""
    seen, sources = ROUND, None
    while True:
        if seen >= ROUND:
            seen, sources = 0, Sources.of(folder)
        pooled: list[Batch] = []
        for kind, share in mix.items():
            many, each = round(POOLED * share), size // 2 if kind == "judge" else size
            drawn = writer.several(kind, many * each, sources, rng)
            seen += len(drawn)
            pooled += [writer.batch(kind, drawn[k * each : (k + 1) * each]) for k in range(many)]
        for k in rng.permutation(len(pooled)):
            yield pooled[k]


def _perceive(sources: Sources, canvas: Canvas, rng: np.random.Generator, vary: bool) -> samples.Sample:
    index = int(rng.integers(len(sources.pictures)))
    if vary:
        return samples.perceive(*varied(sources.pictures, index, rng), canvas)
    return samples.perceive(sources.pictures.picture(index), sources.pictures.record(index)["things"], canvas)


def _plan(sources: Sources, canvas: Canvas, rng: np.random.Generator, vary: bool) -> samples.Sample | None:
    return samples.plan(sources.any_record(rng), canvas, rng)


def _judge(sources: Sources, canvas: Canvas, rng: np.random.Generator, vary: bool) -> samples.Sample | None:
    """Two views of one world, one after the other."""
    shards, index = sources.pictures, int(rng.integers(len(sources.pictures) - 1))
    record = shards.record(index + 1)
    if record["seed"] != shards.record(index)["seed"]:
        return None
    before, after = shards.picture(index), shards.picture(index + 1)
    if vary:
        before, after = tone(before, rng), tone(after, rng)
    return samples.judge(record, before, after, rng)


def _recite(sources: Sources, canvas: Canvas, rng: np.random.Generator, vary: bool) -> samples.Sample:
    return samples.recite(sources.any_record(rng), canvas, rng)


SAMPLES = {"recite": _recite, "perceive": _perceive, "plan": _plan, "judge": _judge}
