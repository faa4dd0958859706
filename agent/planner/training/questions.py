"""Endless batches of the four kinds of questions with their answers, as tokens: for the embedded model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from tokenizers import Tokenizer

from tandem.agent.planner.canvas import Canvas
from tandem.agent.planner.terse import terse
from tandem.agent.planner.training import samples
from tandem.agent.planner.training.chat import Tokens, lay_out
from tandem.agent.planner.training.glimpse import Glimpse
from tandem.agent.planner.training.language import Batch, collate
from tandem.agent.planner.training.samples import Sample
from tandem.agent.planner.training.scenery import varied_record, without_one
from tandem.agent.planner.training.sources import Sources
from tandem.agent.planner.training.views import Views
from tandem.agent.planner.training.words import name_rank

LONGEST = 640  # tokens: what is longer is left out
POOLED = 16  # batches that are sorted by length together, so that little is padded
MIX: Mapping[str, float] = {"perceive": 0.375, "plan": 0.5625, "judge": 0.0625}
IMPOVERISHED = 0.4  # share of plans from records with something taken away
BLANK = np.zeros((1, 1, 3), np.uint8)  # stands for a picture of which there is a glimpse

Asked = tuple[Sample, tuple[Glimpse, ...]]


@dataclass(frozen=True, eq=False)
class Writer:
    """Turns what is known into tokens of questions and answers.

    Attributes:
        tokenizer: of the model.
        canvas: of the pictures.
        image: token that stands for a cell of a picture.
        pad: token that fills up.
    """

    tokenizer: Tokenizer
    canvas: Canvas
    image: int
    pad: int

    def draw(
        self, kind: str, sources: Sources, views: Views, rng: np.random.Generator, *, vary: bool = True
    ) -> Tokens | None:
        """One sample of a kind; None when what was drawn gives none."""
        asked = _DRAWS[kind](self.canvas, sources, views, rng, vary)
        if asked is None:
            return None
        sample, glimpses = asked
        tokens = lay_out(replace(sample, question=terse(sample.question)), glimpses, self.tokenizer)
        return tokens if len(tokens.ids) <= LONGEST else None

    def several(
        self, kind: str, count: int, sources: Sources, views: Views, rng: np.random.Generator, *, vary: bool = True
    ) -> list[Tokens]:
        """As many samples of a kind, the shortest first."""
        found: list[Tokens] = []
        while len(found) < count:
            tokens = self.draw(kind, sources, views, rng, vary=vary)
            if tokens is not None:
                found.append(tokens)
        return sorted(found, key=lambda tokens: len(tokens.ids))

    def batch(self, kind: str, drawn: Sequence[Tokens]) -> Batch:
        """Side by side; perceived coordinates get soft targets."""
        return collate(drawn, [kind == "perceive"] * len(drawn), self.pad, self.image)


def language_batches(
    writer: Writer, size: int, mix: Mapping[str, float], source: Callable[[], tuple[Sources, Views]],
    rng: np.random.Generator,
) -> Iterator[Batch]:
    """Batches of one kind each, kinds in the shares of `mix`; a judge's have two pictures and are half as large."""
    sources, views = source()
    while True:
        pooled: list[Batch] = []
        for kind, share in mix.items():
            many, each = round(POOLED * share), size // 2 if kind == "judge" else size
            drawn = writer.several(kind, many * each, sources, views, rng)
            pooled += [writer.batch(kind, drawn[k * each : (k + 1) * each]) for k in range(many)]
        for k in rng.permutation(len(pooled)):
            yield pooled[k]


def _perceive(canvas: Canvas, sources: Sources, views: Views, rng: np.random.Generator, vary: bool) -> Asked:
    """Things in the order of their names: what comes next is then a matter of what is there, and not of where."""
    record, glimpse = views.one(rng)
    things = sorted(record["things"], key=lambda thing: (name_rank(thing["name"]), thing["u"], thing["v"]))
    return samples.perceive(BLANK, things, canvas, as_given=True), (glimpse,)


def _plan(canvas: Canvas, sources: Sources, views: Views, rng: np.random.Generator, vary: bool) -> Asked | None:
    record = sources.any_record(rng)
    if vary:
        record = varied_record(without_one(record, rng) if rng.random() < IMPOVERISHED else record, rng)
    sample = samples.plan(record, canvas, rng)
    return sample and (sample, ())


def _judge(canvas: Canvas, sources: Sources, views: Views, rng: np.random.Generator, vary: bool) -> Asked | None:
    drawn = views.two(rng)
    sample = drawn and samples.judge(drawn[0], BLANK, BLANK, rng)
    return sample and (sample, drawn[1:])


def _recite(canvas: Canvas, sources: Sources, views: Views, rng: np.random.Generator, vary: bool) -> Asked:
    return samples.recite(varied_record(sources.any_record(rng), rng), canvas, rng), ()


_DRAWS = {"recite": _recite, "perceive": _perceive, "plan": _plan, "judge": _judge}
