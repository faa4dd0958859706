"""Who pays for an inference, and when its answer may be used.

An executor begins a thought at the time of an observation and asks for its answer at every later one. Where time is
reckoned (lockstep, charged) the thought runs at once and its answer is withheld until the charge has passed in body
time: deterministic. Where time is real it runs on a thread of its own, and what it took on the wall is what counts.
"""

from __future__ import annotations

import atexit
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tandem.bridge.contract import ActionChunk

_EPS_S = 1e-6
_LEAVING_S = 10.0
_threads: weakref.WeakSet[threading.Thread] = weakref.WeakSet()


@atexit.register
def _leave() -> None:
    """Thoughts end before the process does: torn from its work, torch aborts it. One that hangs is not waited for."""
    end_s = time.monotonic() + _LEAVING_S
    for thread in list(_threads):
        thread.join(max(0.0, end_s - time.monotonic()))


class Clock(Protocol):
    """What an executor asks of the agent's clock.

    Attributes:
        real_time: wall time is body time, so that thinking belongs on a thread of its own.
    """

    real_time: bool

    def charge_s(self, wall_s: float) -> float:
        """Seconds of body time that a call costs which took that long."""


class Instant:
    """Thinking costs nothing."""

    real_time = False

    def charge_s(self, wall_s: float) -> float:
        """Nothing."""
        return 0.0


@dataclass(frozen=True)
class Answer:
    """What came of a thought.

    Attributes:
        chunk: the policy's answer, None if it raised.
        error: what it raised, None if it answered.
        latency_s: body time between the observation and the moment at which the answer could be used.
    """

    chunk: ActionChunk | None
    error: Exception | None
    latency_s: float


class Thinker(Protocol):
    """Thinks one thought at a time.

    Attributes:
        busy: a thought has begun and its answer has not been handed out.
    """

    busy: bool

    def begin(self, call: Callable[[], ActionChunk], time_s: float) -> None:
        """Begin a thought about an observation of that body time. Only while not busy."""

    def answer(self, time_s: float) -> Answer | None:
        """The answer if it may be used at that body time, once; else None."""

    def forget(self) -> None:
        """Nobody wants the answer of the present thought any more."""


def _tried(call: Callable[[], ActionChunk]) -> tuple[ActionChunk | None, Exception | None]:
    try:
        return call(), None
    except Exception as error:  # noqa: BLE001 raised again when the answer is due
        return None, error


class Reckoned:
    """Thinks at once, and withholds the answer for as long as the clock charges."""

    def __init__(self, clock: Clock):
        self._clock = clock
        self._waiting: Answer | None = None
        self._begun_s = 0.0

    @property
    def busy(self) -> bool:
        """See `Thinker`."""
        return self._waiting is not None

    def begin(self, call: Callable[[], ActionChunk], time_s: float) -> None:
        """See `Thinker`."""
        asked_s = time.perf_counter()
        chunk, error = _tried(call)
        self._waiting = Answer(chunk, error, self._clock.charge_s(time.perf_counter() - asked_s))
        self._begun_s = time_s

    def answer(self, time_s: float) -> Answer | None:
        """See `Thinker`."""
        if self._waiting is None or time_s - self._begun_s < self._waiting.latency_s - _EPS_S:
            return None
        answer, self._waiting = self._waiting, None
        return answer

    def forget(self) -> None:
        """See `Thinker`."""
        self._waiting = None


class _Running:
    """A thought on its thread."""

    def __init__(self, time_s: float):
        self.time_s, self.begun_s, self.done = time_s, time.perf_counter(), threading.Event()
        self.answer: Answer | None = None


class OffThread:
    """Thinks on a thread beside the control thread; wall time counts.

    `answer` lets a body that runs faster than the wall (a simulation) wait while a thought is going on, and never holds
    up one that keeps time by itself. A forgotten thought runs to its end before the next begins, because a policy is
    not asked twice at once.
    """

    def __init__(self, clock: Clock):
        self._clock = clock
        self._running: _Running | None = None
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        """See `Thinker`."""
        return self._running is not None

    def begin(self, call: Callable[[], ActionChunk], time_s: float) -> None:
        """See `Thinker`."""
        before, running = self._thread, _Running(time_s)

        def work() -> None:
            if before is not None:
                before.join()
            chunk, error = _tried(call)
            took_s = time.perf_counter() - running.begun_s
            running.answer = Answer(chunk, error, self._clock.charge_s(took_s))
            running.done.set()

        self._running = running
        self._thread = threading.Thread(target=work, name="policy-thinks", daemon=True)
        _threads.add(self._thread)
        self._thread.start()

    def answer(self, time_s: float) -> Answer | None:
        """See `Thinker`. Waits until the wall has caught up with the body, at most until the thought is over."""
        running = self._running
        if running is None:
            return None
        passed_s = time_s - running.time_s
        running.done.wait(max(0.0, running.begun_s + passed_s - time.perf_counter()))
        if not running.done.is_set() or running.answer.latency_s > passed_s + _EPS_S:
            return None
        self._running = None
        return running.answer

    def forget(self) -> None:
        """See `Thinker`."""
        self._running = None


def thinker_for(clock: Clock) -> Thinker:
    """The way of thinking that fits a clock."""
    return OffThread(clock) if clock.real_time else Reckoned(clock)
