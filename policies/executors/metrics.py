"""How smoothly and how timely an executor drives: seam jerk, stale actions, effective rate, latency.

The executor writes down each action and each thought; at the end of a subgoal the numbers become an event in the log.
Memory does not grow with the actions. Stale-action ratio, effective rate and latency percentiles are those by which
vla-eval judges policies in real time.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from tandem.bridge.contract import EpisodeResult, EpisodeStart, Event, EventKind, Step


@dataclass(frozen=True)
class Summary:
    """Numbers of one subgoal, or of many.

    Attributes:
        executor: its name.
        actions: control steps driven.
        stale: of these, steps on which no chunk was ready and the arm held its last command.
        dropped: actions of chunks that came too late for them and were never carried out.
        seams: chunk boundaries, and beginnings and ends of holding.
        inferences: thoughts whose answer arrived.
        stale_action_ratio: stale / actions; None without actions.
        effective_hz: fresh actions per second of body time; None without actions.
        latency_p50_s: median body time between an observation and the use of its answer; None without inferences.
        latency_p95_s: 95th percentile.
        latency_p99_s: 99th percentile.
        seam_jerk: root mean square of the commands' third difference where it spans a seam, norm over the joints,
            rad/s^3; None without any.
        rest_jerk: the same everywhere else.
    """

    executor: str
    actions: int
    stale: int
    dropped: int
    seams: int
    inferences: int
    stale_action_ratio: float | None
    effective_hz: float | None
    latency_p50_s: float | None
    latency_p95_s: float | None
    latency_p99_s: float | None
    seam_jerk: float | None
    rest_jerk: float | None

    def __str__(self) -> str:
        """In words."""
        if not self.actions:
            return f"{self.executor}: nothing was driven"
        seam, rest = ("none" if j is None else f"{j:.3g} rad/s^3" for j in (self.seam_jerk, self.rest_jerk))
        return (f"{self.executor}: {self.effective_hz:.1f} fresh actions/s, {self.stale_action_ratio:.0%} stale, "
                f"jerk at seams {seam}, elsewhere {rest}")


class Tally:
    """Counts up; see `Summary`.

    Args:
        executor: its name.
        dt_s: seconds of a control step.
    """

    def __init__(self, executor: str, dt_s: float):
        self._executor, self._dt_s = executor, dt_s
        self._actions = self._stale = self._dropped = self._seams = 0
        self._latencies: list[float] = []
        self._squares = {True: [0.0, 0], False: [0.0, 0]}  # by whether it spans a seam: sum, number
        self.cut()

    def cut(self) -> None:
        """What comes next does not go on from the last action."""
        self._recent: deque[tuple[np.ndarray, bool]] = deque(maxlen=4)
        self._held = False

    def action(self, action: np.ndarray, *, held: bool, fresh: bool) -> None:
        """One action (d,), gripper last, was put out: holding, or the first of a new chunk, or neither."""
        seam = bool(self._recent) and (fresh or held != self._held)
        self._held = held
        self._actions += 1
        self._stale += held
        self._seams += seam
        self._recent.append((np.array(action[:-1]), seam))
        if len(self._recent) == 4:
            a, b, c, d = (position for position, _ in self._recent)
            squares = self._squares[any(seam for _, seam in list(self._recent)[1:])]
            squares[0] += float(np.sum(((d - 3 * c + 3 * b - a) / self._dt_s**3) ** 2))
            squares[1] += 1

    def thought(self, latency_s: float) -> None:
        """An answer arrived."""
        self._latencies.append(latency_s)

    def drop(self, count: int) -> None:
        """That many actions came too late."""
        self._dropped += count

    def summary(self) -> Summary:
        """The numbers so far."""
        total, late = self._actions, self._latencies
        p50, p95, p99 = np.percentile(late, (50, 95, 99)).tolist() if late else (None, None, None)
        jerk = {seam: math.sqrt(square / n) if n else None for seam, (square, n) in self._squares.items()}
        return Summary(
            self._executor, total, self._stale, self._dropped, self._seams, len(late),
            self._stale / total if total else None, (total - self._stale) / (total * self._dt_s) if total else None,
            p50, p95, p99, jerk[True], jerk[False],
        )


class Metrics:
    """An executor's numbers, for this subgoal and for everything so far. Subscribe it and the log gets them.

    Args:
        executor: its name.
        dt_s: seconds of a control step.

    Attributes:
        subgoal: tally of the present one.
        total: tally of all.
        tell: hears the event at the end of each subgoal, such as `Agent.notice`.
    """

    def __init__(self, executor: str, dt_s: float):
        self._executor, self._dt_s = executor, dt_s
        self.total = Tally(executor, dt_s)
        self.tell: Callable[[Event], None] | None = None
        self.begin()

    def begin(self) -> None:
        """A new subgoal."""
        self.subgoal = Tally(self._executor, self._dt_s)
        self.total.cut()

    def action(self, action: np.ndarray, *, held: bool, fresh: bool) -> None:
        """See `Tally.action`."""
        for tally in (self.subgoal, self.total):
            tally.action(action, held=held, fresh=fresh)

    def thought(self, latency_s: float) -> None:
        """See `Tally.thought`."""
        for tally in (self.subgoal, self.total):
            tally.thought(latency_s)

    def drop(self, count: int) -> None:
        """See `Tally.drop`."""
        for tally in (self.subgoal, self.total):
            tally.drop(count)

    def on_episode_start(self, start: EpisodeStart) -> None:
        """Nothing to say."""

    def on_step(self, step: Step) -> None:
        """The executor itself writes down what it puts out."""

    def on_event(self, event: Event) -> None:
        """At the end of a subgoal, tell of it; a subgoal that never got to moving has nothing to tell."""
        if event.kind is EventKind.SUBGOAL_START:
            self.begin()
        elif event.kind is EventKind.SUBGOAL_END and self.tell is not None:
            summary = self.subgoal.summary()
            if summary.actions:
                self.tell(Event(EventKind.EXECUTION, event.time_s, str(summary), asdict(summary)))

    def on_episode_end(self, result: EpisodeResult) -> None:
        """Everything has been told."""
