"""Slightly other worlds: what lies about is shifted by a little, so that chances can be counted from one state on."""

from __future__ import annotations

import numpy as np

from tandem.sim.truth import Truth

AT_REST_M_S = 0.02


def jitter(truth: Truth, rng: np.random.Generator, sigma_m: float) -> dict[str, float]:
    """Shift every loose thing that lies still and that no finger touches, in the plane.

    Args:
        truth: of the world to be changed.
        rng: draws the shifts.
        sigma_m: standard deviation along x and y; no shift is larger than twice that.

    Returns:
        How far each was shifted, m.
    """
    world, touched, shifts = truth.world, truth.touched(), {}
    for name, entity in world.entities.items():
        shift = np.clip(rng.normal(0, sigma_m, 2), -2 * sigma_m, 2 * sigma_m)
        if entity.loose and name not in touched and np.linalg.norm(truth.velocity(name)) < AT_REST_M_S:
            world.data.joint(entity.joint).qpos[:2] += shift
            shifts[name] = float(np.linalg.norm(shift))
    world.refresh()
    return shifts
