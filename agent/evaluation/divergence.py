"""Where two courses of the same episode part: per quantity in its own unit, per layer in one verdict.

Rows are counted as a log counts control steps: row 0 of an array is the start (step -1), row k what step k - 1 led to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np

TOLERANCE: dict[str, float] = {"m": 1e-3, "rad": 5e-3, "m/s": 1e-2, "rad/s": 5e-2, "opening": 1e-2, "px": 2.0}
"""What counts as the same, by unit. Shown with every table."""


class Status(StrEnum):
    """What may be said of a layer."""

    EXACT = "bit-exact"
    TOLERATED = "within tolerance"
    DIVERGED = "diverged"
    INCOMPARABLE = "not comparable"


class Quantity(NamedTuple):
    """Two courses of one thing.

    Attributes:
        name: "joint3", "red cube", ...
        unit: a key of `TOLERANCE`, or "quaternion" for (T, 4) wxyz, whose error is an angle in rad.
        logged: (T,) or (T, d).
        again: of the same shape.
    """

    name: str
    unit: str
    logged: np.ndarray
    again: np.ndarray

    def errors(self) -> np.ndarray:
        """(T,) distance between the two, in the unit (rad for quaternions)."""
        a, b = (np.asarray(x, float).reshape(len(x), -1) for x in (self.logged, self.again))
        if self.unit == "quaternion":
            overlap = np.abs(np.sum(a * b, axis=1)) / np.maximum(
                np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1), 1e-300)
            angle = 2 * np.arccos(np.clip(overlap, 0, 1))
            return np.where(np.all(a == b, axis=1), 0.0, angle)
        return np.linalg.norm(a - b, axis=1)


@dataclass(frozen=True)
class Row:
    """One quantity's divergence.

    Attributes:
        name: what.
        unit: of the figures.
        first: step from which it is beyond the tolerance for the first time, None if never.
        peak: largest error.
        peak_step: where.
        end: error in the end.
        tolerance: what counted as the same.
    """

    name: str
    unit: str
    first: int | None
    peak: float
    peak_step: int
    end: float
    tolerance: float

    @classmethod
    def of(cls, quantity: Quantity, steps: Sequence[int], tolerance: Mapping[str, float] = TOLERANCE) -> Row:
        """Summarise; `steps` says which control step each row belongs to."""
        errors, unit = quantity.errors(), "rad" if quantity.unit == "quaternion" else quantity.unit
        beyond = np.flatnonzero(~(errors <= tolerance[unit]))
        peak = int(np.argmax(np.where(np.isnan(errors), np.inf, errors)))
        return cls(
            quantity.name, unit, int(steps[beyond[0]]) if len(beyond) else None, float(errors[peak]),
            int(steps[peak]), float(errors[-1]), tolerance[unit],
        )


@dataclass(frozen=True)
class Finding:
    """The verdict on one layer.

    Attributes:
        layer: "physics", "state", "rendering", "policy", "planner", "closed".
        status: what may be said.
        step: control step (for the planner: of the call) at which it differs first, -1 the start; None when nowhere.
        words: what was compared and what differs, or why it cannot be.
        rows: per quantity.
        facts: further figures, plain types.
    """

    layer: str
    status: Status
    step: int | None = None
    words: str = ""
    rows: tuple[Row, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """In the words of the tables."""
        if self.status is Status.DIVERGED:
            return "diverged at the start" if self.step == -1 else f"diverged at step {self.step}"
        return f"{self.status}: {self.words}" if self.status is Status.INCOMPARABLE else str(self.status)

    @property
    def ok(self) -> bool:
        """Whether the layer did again what it did."""
        return self.status in (Status.EXACT, Status.TOLERATED)

    def to_dict(self) -> dict[str, Any]:
        """Plain types only."""
        return {**asdict(self), "status": str(self.status), "verdict": self.verdict, "rows": [*map(asdict, self.rows)]}


def judge(
    layer: str, quantities: Iterable[Quantity], words: str, *, steps: Sequence[int], differs: int | None,
    broken: Iterable[int] = (), tolerance: Mapping[str, float] = TOLERANCE, **facts: Any,
) -> Finding:
    """A verdict from quantities.

    Args:
        layer: its name.
        quantities: what people read, row by row.
        words: what was compared.
        steps: the control step of each row.
        differs: step at which the two are no longer the same bit for bit, None when they are throughout.
        broken: steps at which they differ in a way that has no size.
        tolerance: what counts as the same, by unit.
        facts: further figures.
    """
    rows = [Row.of(quantity, steps, tolerance) for quantity in quantities if len(quantity.logged)]
    rows.sort(key=lambda row: (row.first is None, row.first or 0, -row.peak / row.tolerance))
    beyond = [*(row.first for row in rows if row.first is not None), *broken]
    if beyond:
        return Finding(layer, Status.DIVERGED, min(beyond), words, tuple(rows), facts)
    status = Status.EXACT if differs is None else Status.TOLERATED
    return Finding(layer, status, differs, words, tuple(rows), facts)
