"""Batches made ahead in the background, so that no step waits for one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import Full, Queue

from tandem.policies.learned.network import Lesson


class Feed:
    """Gives batch after batch, in order.

    Args:
        make: the batch of a number; called in a thread.
        first: number to begin with.
        ahead: how many wait.

    Attributes:
        waited_s: time that `next` had to wait in all.
    """

    def __init__(self, make: Callable[[int], Lesson], first: int, ahead: int = 4):
        self._make, self._queue, self.waited_s = make, Queue[Lesson | BaseException](ahead), 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(first,), daemon=True)
        self._thread.start()

    def next(self) -> Lesson:
        """The next one; what went wrong in making it is raised here."""
        began_s = time.perf_counter()
        made = self._queue.get()
        self.waited_s += time.perf_counter() - began_s
        if isinstance(made, BaseException):
            raise made
        return made

    def close(self) -> None:
        """Make no more."""
        self._stop.set()
        self._thread.join()

    def _run(self, number: int) -> None:
        while not self._stop.is_set():
            try:
                made: Lesson | BaseException = self._make(number)
            except Exception as reason:  # noqa: BLE001 raised where it is waited for
                made = reason
            self._put(made)
            if isinstance(made, BaseException):
                return
            number += 1

    def _put(self, made: Lesson | BaseException) -> None:
        while not self._stop.is_set():
            try:
                self._queue.put(made, timeout=0.2)
            except Full:
                continue
            return
