"""What a report may hold beside the episodes. Others measure it; here it is only said and drawn."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tandem.agent.evaluation.report.rates import Interval, Rate


@dataclass(frozen=True)
class ComparisonRow:
    """Two systems on the same episodes.

    Attributes:
        name: a task, or "all".
        a: successes of the first.
        b: of the second.
        difference: b - a, 1 is 100 points.
        words: what may be said.
    """

    name: str
    a: Rate
    b: Rate
    difference: Interval
    words: str


@dataclass(frozen=True)
class Comparison:
    """A against B.

    Attributes:
        a: name of the first.
        b: name of the second.
        words: the conclusion in a sentence.
        rows: overall and for each task.
        differing: what was not the same, (name, in A, in B): an option, a version.
    """

    a: str
    b: str
    words: str
    rows: tuple[ComparisonRow, ...]
    differing: tuple[tuple[str, str, str], ...] = ()
    kind: str = field(default="comparison", init=False)


@dataclass(frozen=True)
class Layer:
    """What replay says of one layer.

    Attributes:
        name: "physics", "state and rendering", "policy" or "planner".
        verdict: in words: "bit for bit the same", "within tolerance", "differs", "not comparable".
        same: True, False, or None when nobody can say.
        first_step: control step at which it differs first.
        time_s: body time of that step.
        detail: in words.
    """

    name: str
    verdict: str
    same: bool | None
    first_step: int | None = None
    time_s: float | None = None
    detail: str = ""


@dataclass(frozen=True)
class DivergenceRow:
    """How far one object or joint went another way.

    Attributes:
        name: of the object or joint, with what is compared where that is not plain: "red cube, position".
        unit: "m" or "rad".
        tolerance: up to which it counts as the same.
        first_step: control step beyond the tolerance, None when it never was.
        peak: the largest difference.
        end: the last one.
    """

    name: str
    unit: str
    tolerance: float
    first_step: int | None
    peak: float
    end: float


@dataclass(frozen=True)
class Divergence:
    """Which layer of an episode differed first when it was replayed."""

    episode: str
    words: str
    layers: tuple[Layer, ...]
    rows: tuple[DivergenceRow, ...] = ()
    kind: str = field(default="divergence", init=False)


@dataclass(frozen=True)
class CurvePoint:
    """From a control step on, how likely success still is; `success` holds the runs that were branched there."""

    step: int
    time_s: float
    success: Rate


@dataclass(frozen=True, eq=False)
class PointOfNoReturn:
    """The last step from which success was still likely.

    Attributes:
        episode: which one.
        step: control step of the point, None when the episode has none.
        time_s: its body time.
        words: what was found.
        curve: in the order of steps.
        frame: uint8 (H, W, 3) RGB at that step.
    """

    episode: str
    step: int | None
    time_s: float | None
    words: str
    curve: tuple[CurvePoint, ...]
    frame: np.ndarray | None = None
    kind: str = field(default="no_return", init=False)


@dataclass(frozen=True)
class Arm:
    """One system in which one thing was changed.

    Attributes:
        name: of the arm.
        change: what was changed, in words; empty for the baseline.
        cells: successes by task, in the order of the matrix; None where it was not tried.
        effect: difference to the baseline over the matched episodes, None for the baseline itself.
    """

    name: str
    change: str
    cells: tuple[Rate | None, ...]
    effect: Interval | None = None


@dataclass(frozen=True)
class ArmsMatrix:
    """Arms by tasks, on the same initial states."""

    tasks: tuple[str, ...]
    arms: tuple[Arm, ...]
    words: str = ""
    kind: str = field(default="arms", init=False)


Section = Comparison | Divergence | PointOfNoReturn | ArmsMatrix
