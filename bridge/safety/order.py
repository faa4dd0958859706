"""Joints by name: whatever order a chunk comes in, the arm gets it in its own."""

from __future__ import annotations

import numpy as np

from tandem.bridge.wire.refusal import Refusal, Refused

MAX_ACTIONS = 1000


def ordered(values: np.ndarray, names: tuple[str, ...], layout: tuple[str, ...]) -> np.ndarray:
    """Rows (H, d) in the order of the specification.

    Args:
        values: (H * d,) as they came, row by row.
        names: (d) what each column is.
        layout: (d) the order wanted.

    Raises:
        Refused: WRONG_NAMES unless the names are those of the layout, each once; WRONG_SHAPE.
    """
    if names != layout and (len(names) != len(layout) or set(names) != set(layout)):
        missing, extra = sorted(set(layout) - set(names)), sorted(set(names) - set(layout))
        told = f"missing: {', '.join(missing) or 'none'}; unknown: {', '.join(extra) or 'none'}"
        raise Refused(Refusal.WRONG_NAMES, f"{len(names)} names for {len(layout)} elements; {told}")
    if not len(values) or len(values) % len(names):
        raise Refused(Refusal.WRONG_SHAPE, f"{len(values)} numbers are no rows of {len(names)}")
    rows = values.reshape(-1, len(names))
    if len(rows) > MAX_ACTIONS:
        raise Refused(Refusal.WRONG_SHAPE, f"{len(rows)} actions, at most {MAX_ACTIONS} are taken")
    return rows if names == layout else rows[:, [names.index(name) for name in layout]]
