"""Position range: an action outside it is moved to its edge, and the report says by how much."""

from __future__ import annotations

import numpy as np

from tandem.bridge.contract.action import BOUND_TOLERANCE
from tandem.bridge.contract.spec import BodySpec
from tandem.bridge.safety.report import Report


def clamped(rows: np.ndarray, spec: BodySpec, chunk: int) -> tuple[np.ndarray, list[Report]]:
    """Rows (H, d) within the action's bounds, and what was changed."""
    low, high = spec.action.low, spec.action.high
    inside = np.clip(rows, low, high)
    beyond = np.abs(rows - inside).max(axis=0)
    reports = [
        Report("range", "clamped", f"{spec.action.names[i]} moved by up to {beyond[i]:.4g} to stay within "
               f"[{low[i]:.4g}, {high[i]:.4g}]", chunk)
        for i in np.flatnonzero(beyond > BOUND_TOLERANCE)
    ]
    return inside, reports
