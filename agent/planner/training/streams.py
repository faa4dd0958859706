"""Endless batches from shards: pictures with dense targets, and the four kinds of questions with their answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from tokenizers import Tokenizer

from tandem.agent.planner.canvas import Canvas
from tandem.agent.planner.terse import terse
from tandem.agent.planner.training import samples
from tandem.agent.planner.training.architecture import PATCH
from tandem.agent.planner.training.augment import augment, cut_out, tone
from tandem.agent.planner.training.chat import Tokens, lay_out
from tandem.agent.planner.training.dense import DenseTargets, targets
from tandem.agent.planner.training.language import Batch, collate
from tandem.agent.planner.training.paste import paste
from tandem.agent.planner.training.shards import Shards

PICTURES, RECORDS = "pictures", "records"  # sub-folders of the data: with pictures, and without
HELD_OUT = 1  # shards of each that are never trained on: the first
ROUND = 6000  # samples after which a folder is read again, which may have grown
CUT = 64  # pixels of a cut-out's side
BANK, FRESH = 1200, 8  # pictures that are cut from, and how many of them are exchanged with each batch
PASTED = 0.7  # share of pictures that get things of others, for dense supervision
LONGEST = 760  # tokens: what is longer is left out
POOLED = 8  # batches that are sorted by length together, so that little is padded
MIX: Mapping[str, float] = {"perceive": 0.5, "plan": 0.375, "judge": 0.125}


@dataclass(frozen=True, eq=False)
class Sources:
    """Where samples come from.

    Attributes:
        pictures: records with pictures.
        records: records, with or without.
    """

    pictures: Shards
    records: tuple[Shards, ...]

    @classmethod
    def of(cls, folder: Path, *, held_out: bool = False) -> Sources:
        """The shards of a data folder, either all that are trained on or those that are held out."""
        part = slice(0, HELD_OUT) if held_out else slice(HELD_OUT, None)
        pictures = Shards(folder / PICTURES, part)
        more = (Shards(folder / RECORDS, part),) if any((folder / RECORDS).glob("*.jsonl")) else ()
        return cls(pictures, (pictures, *more))

    def any_record(self, rng: np.random.Generator) -> Mapping[str, Any]:
        """A record of any source."""
        sizes = np.array([len(source) for source in self.records], float)
        source = self.records[rng.choice(len(sizes), p=sizes / sizes.sum())]
        return source.record(int(rng.integers(len(source))))


def dense_batches(folder: Path, size: int, rng: np.random.Generator) -> Iterator[tuple[torch.Tensor, DenseTargets]]:
    """Pictures uint8 (size, H, W, 3), varied, and what their slots hold."""
    seen, sources = ROUND, None
    while True:
        if seen >= ROUND:
            seen, sources = 0, Sources.of(folder)
        drawn = [_varied(sources.pictures, int(i), rng) for i in rng.integers(len(sources.pictures), size=size)]
        drawn = [paste(known, drawn, rng) if rng.random() < PASTED else known for known in drawn]
        seen += size
        yield torch.from_numpy(np.stack([picture for picture, _ in drawn])), targets([things for _, things in drawn])


def cut_batches(folder: Path, size: int, rng: np.random.Generator) -> Iterator[tuple[torch.Tensor, DenseTargets]]:
    """Small squares around things, uint8 (size, CUT, CUT, 3), and what their slots hold: shapes, for little work.

    A picture is mostly table. What a thing is shows in a square of a few patches; where it is does not.
    """
    shards, side = Sources.of(folder).pictures, CUT // PATCH
    bank = [_with_things(shards, rng) for _ in range(BANK // 8)]
    while True:
        for _ in range(FRESH):
            fresh = _with_things(shards, rng)
            if len(bank) < BANK:
                bank.append(fresh)
            else:
                bank[rng.integers(BANK)] = fresh
        cuts = [cut_out(*bank[rng.integers(len(bank))], CUT, rng) for _ in range(size)]
        seen = torch.from_numpy(np.stack([cut for cut, _ in cuts]))
        yield seen, targets([things for _, things in cuts], (side, side))


def _with_things(shards: Shards, rng: np.random.Generator) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """A picture that shows something, and what."""
    while not (things := shards.record(index := int(rng.integers(len(shards))))["things"]):
        pass
    return shards.picture(index), things


def held_out_pictures(folder: Path, count: int) -> Iterator[tuple[torch.Tensor, DenseTargets]]:
    """The same for pictures that are never trained on, 24 at a time, as they are."""
    shards = Sources.of(folder, held_out=True).pictures
    for chunk in np.array_split(np.random.default_rng(0).permutation(len(shards))[:count], -(-count // 24)):
        pictures = np.stack([shards.picture(int(i)) for i in chunk])
        yield torch.from_numpy(pictures), targets([shards.record(int(i))["things"] for i in chunk])


def _varied(shards: Shards, index: int, rng: np.random.Generator) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """A variant of a picture, and what is still in it."""
    things = shards.record(index)["things"]
    points = np.array([[thing["u"], thing["v"]] for thing in things]).reshape(-1, 2)
    picture, moved = augment(shards.picture(index), points, rng)
    kept = [{**t, "u": u, "v": v} for t, (u, v) in zip(things, moved, strict=True) if 0 <= u < 1 and 0 <= v < 1]
    return np.ascontiguousarray(picture), kept


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
        return samples.perceive(*_varied(sources.pictures, index, rng), canvas)
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


def side_by_side(
    make: Callable[[np.random.Generator], Iterator[Any]], seed: Sequence[int], workers: int
) -> Iterator[Any]:
    """Batches of a stream, made by that many processes ahead of time; 0 makes them here.

    Args:
        make: the stream for a random generator; a module-level function or a partial of one.
        seed: each process gets its own, from this.
        workers: processes.
    """
    if not workers:
        return make(np.random.default_rng(seed))
    return iter(torch.utils.data.DataLoader(
        _Stream(make, tuple(seed)), batch_size=None, num_workers=workers, prefetch_factor=4,
        multiprocessing_context="spawn",  # threads of a library that is running do not survive a fork
    ))


class _Stream(torch.utils.data.IterableDataset):
    def __init__(self, make: Callable[[np.random.Generator], Iterator[Any]], seed: tuple[int, ...]):
        self._make, self._seed = make, seed

    def __iter__(self) -> Iterator[Any]:
        torch.set_num_threads(1)
        cv2.setNumThreads(1)
        return self._make(np.random.default_rng([*self._seed, torch.utils.data.get_worker_info().id]))
