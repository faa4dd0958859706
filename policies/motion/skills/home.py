"""Return to the rest pose."""

from __future__ import annotations

from tandem.bridge.contract import Subgoal
from tandem.policies.motion.motion import Moves
from tandem.policies.motion.mover import Mover


def home(mover: Mover, subgoal: Subgoal) -> Moves:
    """Up to the height of the rest pose, then to it in joint space. What is held stays held."""
    rest = mover.arm.fk(mover.spec.home)
    yield from mover.rise(float(rest[2, 3]), "home")
    yield from mover.joints(mover.spec.home, "home")
    yield from mover.settle("home")
