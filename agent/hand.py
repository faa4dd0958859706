"""What the hand holds: what the gripper measures, and what was last taken.

A camera far off hardly sees what is between the fingers. The opening says that something is, and the history what.
"""

from __future__ import annotations

from collections.abc import Sequence

from tandem.bridge.contract import Attempt, Observation
from tandem.bridge.contract.observation import GRIPPER_OPENING

EMPTY = 0.04  # opening at or below which the fingers have met: nothing is between them
OPEN = 0.95  # opening at or above which nothing can be held
PUT_DOWN = ("place", "stack_on", "insert")  # skills that let go


def may_hold(observation: Observation) -> bool | None:
    """Whether something can be between the fingers; None where the body does not measure its gripper."""
    if GRIPPER_OPENING not in observation:
        return None
    return EMPTY < float(observation[GRIPPER_OPENING][0]) < OPEN


def last_taken(history: Sequence[Attempt]) -> tuple[Attempt, str] | None:
    """The last pick whose policy closed the hand on something that was not put down since, and its object."""
    taken = None
    for attempt in history:
        skill, name = attempt.subgoal.skill, attempt.subgoal.arguments.get("object")
        if skill == "pick" and attempt.claimed and isinstance(name, str):
            taken = attempt, name
        elif skill in PUT_DOWN and attempt.failure is None:
            taken = None
    return taken
