"""Several questions to a server at once, on a bounded number of threads and for a bounded time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

Asked, Outcome = TypeVar("Asked"), TypeVar("Outcome")


def all_at_once(
    ask: Callable[[Asked], Outcome], asked: Sequence[Asked], *, threads: int, limit_s: float
) -> list[Outcome | None]:
    """What `ask` returned for each, in order; None where it had not returned when the time was over.

    The threads are daemons: neither Ctrl-C nor the end of the program waits for a server that keeps a socket open.
    An error that `ask` raises is raised here, once the others are done.

    Args:
        ask: called on a thread.
        asked: its arguments.
        threads: how many at once.
        limit_s: for all of them together.
    """
    batch = _Batch(ask, asked)
    workers = [threading.Thread(target=batch.work, daemon=True) for _ in range(min(threads, len(asked)))]
    for worker in workers:
        worker.start()
    end_s = time.monotonic() + limit_s
    try:
        for worker in workers:
            worker.join(max(0.0, end_s - time.monotonic()))
    finally:
        batch.over = True
    if batch.error is not None:
        raise batch.error
    return list(batch.outcomes)


class _Batch:
    """What the threads share."""

    def __init__(self, ask: Callable[[Asked], Outcome], asked: Sequence[Asked]):
        self.outcomes: list[Outcome | None] = [None] * len(asked)
        self.error: Exception | None = None
        self.over = False
        self._ask, self._left, self._lock = ask, list(enumerate(asked))[::-1], threading.Lock()

    def work(self) -> None:
        """Take the next until none is left."""
        while not self.over:
            with self._lock:
                if not self._left:
                    return
                i, asked = self._left.pop()
            try:
                self.outcomes[i] = self._ask(asked)
            except Exception as error:  # noqa: BLE001 raised again where the answers are awaited
                self.error = self.error or error
