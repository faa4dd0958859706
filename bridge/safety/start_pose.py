"""The first action must lie where the arm stands, or as far as it can get until then: no jump, whoever asks for it."""

from __future__ import annotations

import numpy as np

from tandem.bridge.contract.spec import BodySpec
from tandem.bridge.wire.refusal import Refusal, Refused

LAG_S = 0.05  # by which a setpoint in motion may lag behind its reference


def check_start(first: np.ndarray, position: np.ndarray, ahead_s: float, spec: BodySpec, guard: float) -> None:
    """Raise `Refused` (START_POSE) naming the joint that would have to jump.

    Args:
        first: (n,) the first action that would be carried out, rad.
        position: (n,) the present setpoint, rad.
        ahead_s: seconds until that action is due; `LAG_S` more for an arm in motion.
        spec: velocity limits.
        guard: rad allowed beyond what the limits cover.
    """
    far, allowed = np.abs(first - position), guard + spec.velocity_limit * max(ahead_s, 0.0)
    if np.any(far > allowed):
        i = int(np.argmax(far - allowed))
        raise Refused(
            Refusal.START_POSE,
            f"{spec.joint_names[i]} stands at {position[i]:.4f}, the first action is {first[i]:.4f}: "
            f"{far[i]:.4f} away, {allowed[i]:.4f} are allowed",
        )
