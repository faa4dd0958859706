"""Endless batches of pictures with dense targets, whole or cut out, and batches made ahead of time by processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from tandem.agent.planner.training.architecture import PATCH
from tandem.agent.planner.training.augment import cut_out
from tandem.agent.planner.training.dense import DenseTargets, targets
from tandem.agent.planner.training.paste import paste
from tandem.agent.planner.training.shards import Shards
from tandem.agent.planner.training.sources import ROUND, Sources, varied

CUT = 64  # pixels of a cut-out's side
BANK, FRESH = 1200, 8  # pictures that are cut from, and how many of them are exchanged with each batch
PASTED = 0.7  # share of pictures that get things of others


def dense_batches(folder: Path, size: int, rng: np.random.Generator) -> Iterator[tuple[torch.Tensor, DenseTargets]]:
    """Pictures uint8 (size, H, W, 3), varied, and what their slots hold."""
    seen, sources = ROUND, None
    while True:
        if seen >= ROUND:
            seen, sources = 0, Sources.of(folder)
        drawn = [varied(sources.pictures, int(i), rng) for i in rng.integers(len(sources.pictures), size=size)]
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
