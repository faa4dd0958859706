"""Builds the subgoals that a scripted plan is made of: words, criterion, and the camera point a planner would give."""

from __future__ import annotations

from tandem.bridge.contract import Argument, Subgoal
from tandem.sim.truth import Truth


def _subgoal(truth: Truth, skill: str, instruction: str, criterion: str, about: str, **words: str) -> Subgoal:
    arguments: dict[str, Argument] = dict(words)
    point = truth.visible_point(about)
    if point is not None:
        arguments["point"] = point
    return Subgoal(skill, arguments, instruction, criterion)


def pick(truth: Truth, thing: str) -> Subgoal:
    """Grasp a thing and lift it."""
    return _subgoal(
        truth, "pick", f"pick up the {thing}", f"the gripper holds the {thing} above the table", thing, object=thing
    )


def place(truth: Truth, thing: str, target: str) -> Subgoal:
    """Put the held thing into a bin, slot, drawer or fixture."""
    return _subgoal(
        truth, "place", f"put the {thing} into the {target}", f"the {thing} lies in the {target}, let go", target,
        object=thing, target=target,
    )


def stack_on(truth: Truth, thing: str, target: str) -> Subgoal:
    """Set the held thing on top of another."""
    return _subgoal(
        truth, "stack_on", f"set the {thing} on the {target}", f"the {thing} stands on the {target}, let go", target,
        object=thing, target=target,
    )


def insert(truth: Truth, thing: str, target: str) -> Subgoal:
    """Push the held peg into a hole."""
    return _subgoal(
        truth, "insert", f"push the {thing} into the {target}", f"the {thing} sits deep in the {target}", target,
        object=thing, target=target,
    )


def open_drawer(truth: Truth, drawer: str) -> Subgoal:
    """Pull a drawer open by its handle, which is what the subgoal names."""
    handle = f"{drawer} handle"
    return _subgoal(truth, "open", f"pull the {drawer} open", f"the {drawer} stands open", handle, target=handle)


def close_drawer(truth: Truth, drawer: str) -> Subgoal:
    """Push a drawer shut by its handle, which is what the subgoal names."""
    handle = f"{drawer} handle"
    return _subgoal(truth, "close", f"push the {drawer} shut", f"the {drawer} is shut", handle, target=handle)


def press(truth: Truth, target: str) -> Subgoal:
    """Press a button."""
    return _subgoal(truth, "press", f"press the {target}", f"the {target} has been pressed", target, target=target)
