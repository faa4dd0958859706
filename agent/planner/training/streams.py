"""Batches made ahead of time by processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import cv2
import numpy as np
import torch


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
