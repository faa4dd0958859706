"""Builds the subgoals that a scripted plan is made of; the catalogue has the words, the truth the camera point."""

from __future__ import annotations

from tandem.bridge.contract import Argument, Subgoal, skill_named
from tandem.sim.truth import Truth


def _subgoal(truth: Truth, skill: str, about: str, **words: str) -> Subgoal:
    arguments: dict[str, Argument] = dict(words)
    point = truth.visible_point(about)
    if point is not None:
        arguments["point"] = point
    return Subgoal(skill, arguments, *skill_named(skill).words(words))


def pick(truth: Truth, thing: str) -> Subgoal:
    """Grasp a thing and lift it."""
    return _subgoal(truth, "pick", thing, object=thing)


def place(truth: Truth, thing: str, target: str) -> Subgoal:
    """Put the held thing into a bin, slot, drawer or fixture."""
    return _subgoal(truth, "place", target, object=thing, target=target)


def stack_on(truth: Truth, thing: str, target: str) -> Subgoal:
    """Set the held thing on top of another."""
    return _subgoal(truth, "stack_on", target, object=thing, target=target)


def insert(truth: Truth, thing: str, target: str) -> Subgoal:
    """Push the held peg into a hole."""
    return _subgoal(truth, "insert", target, object=thing, target=target)


def open_drawer(truth: Truth, drawer: str) -> Subgoal:
    """Pull a drawer open by its handle, which is what the subgoal names."""
    return _subgoal(truth, "open", f"{drawer} handle", target=f"{drawer} handle")


def close_drawer(truth: Truth, drawer: str) -> Subgoal:
    """Push a drawer shut by its handle, which is what the subgoal names."""
    return _subgoal(truth, "close", f"{drawer} handle", target=f"{drawer} handle")


def press(truth: Truth, target: str) -> Subgoal:
    """Press a button."""
    return _subgoal(truth, "press", target, target=target)
