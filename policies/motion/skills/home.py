"""Return to the rest pose."""

from __future__ import annotations

from tandem.bridge.contract import Subgoal
from tandem.policies.motion.motion import Moves
from tandem.policies.motion.mover import Mover


def home(mover: Mover, subgoal: Subgoal) -> Moves:
    """Up, and to the rest pose. What is held stays held."""
    yield from mover.rest("home")
