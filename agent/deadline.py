"""A body that must answer in time: wrap one that may hang (hardware, a peer) and hanging becomes a typed failure."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tandem.bridge.contract import Body, BodySpec, BodyUnresponsive, InvalidOption, Observation


class WatchedBody:
    """Any body, with deadlines. Once one has passed, the body is given up: every later call is refused.

    Its calls run on one thread that the wrapper owns. Pictures of a lazy observation are still made on the thread
    that reads them, so do not wrap a simulation whose renderer belongs to one thread: in process nothing hangs anyway.

    Args:
        body: what may hang.
        deadline_s: for each step and for close.
        reset_deadline_s: for reset, which may move the arm to its start.
    """

    def __init__(self, body: Body, deadline_s: float = 1.0, reset_deadline_s: float = 30.0):
        if not (deadline_s > 0 and reset_deadline_s > 0):
            raise InvalidOption(f"deadlines must be positive seconds, got {deadline_s} and {reset_deadline_s}")
        self._body, self._deadline_s, self._reset_deadline_s = body, deadline_s, reset_deadline_s
        self._calls: queue.SimpleQueue = queue.SimpleQueue()
        self._answers: queue.SimpleQueue = queue.SimpleQueue()
        self._number = 0
        self._missed = ""  # which call was never answered
        self._thread: threading.Thread | None = None

    @property
    def spec(self) -> BodySpec:
        """The wrapped body's specification."""
        return self._body.spec

    def reset(self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
              ) -> tuple[Observation, dict[str, Any]]:
        """Raises `BodyUnresponsive` after `reset_deadline_s`."""
        return self._ask("reset", lambda: self._body.reset(seed=seed, options=options), self._reset_deadline_s)

    def step(self, action: np.ndarray) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Raises `BodyUnresponsive` after `deadline_s`."""
        return self._ask("step", lambda: self._body.step(action), self._deadline_s)

    def close(self) -> None:
        """Close the body if it still answers, and leave it alone if it does not."""
        if not self._missed:
            self._ask("close", self._body.close, self._deadline_s)
        if self._thread is not None:
            self._calls.put(None)
            self._thread = None

    def _ask(self, what: str, call: Callable[[], Any], deadline_s: float) -> Any:
        if self._missed:
            raise BodyUnresponsive(f"the body never answered {self._missed}; connect to it anew before moving it")
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="watched-body", daemon=True)
            self._thread.start()
        self._number += 1
        self._calls.put((self._number, call))
        try:
            number, answer, error = self._answers.get(timeout=deadline_s)
            while number != self._number:  # the answer to a call that Ctrl-C broke off
                number, answer, error = self._answers.get(timeout=deadline_s)
        except queue.Empty:
            self._missed = what
            raise BodyUnresponsive(f"the body did not answer {what} within {deadline_s:g} s") from None
        if error is not None:
            raise error
        return answer

    def _work(self) -> None:
        while (task := self._calls.get()) is not None:
            number, call = task
            try:
                self._answers.put((number, call(), None))
            except BaseException as error:  # noqa: BLE001 raised again in the thread that asked
                self._answers.put((number, None, error))
