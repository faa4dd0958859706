"""One thing changed at a time: an option of the system by its name and value, and the arms that have a name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from types import MappingProxyType
from typing import Any, get_args, get_origin, get_type_hints

from composition import System

from tandem.bridge.contract import InvalidOption, UnknownName

ARMS: Mapping[str, str] = MappingProxyType({
    "wording": "wording=paraphrased",
    "distractors": "difficulty=1",
    "camera_shift": "disturb=camera_shift",
    "latency": "clock=charged:500",
    "dropped_frames": "disturb=dropped_frames",
    "lighting": "disturb=lighting",
})
"""Arms by name, each with the option that it changes."""
OTHER_STATES = frozenset({"difficulty", "robot", "physics_hz", "control_hz"})
"""Options that change the model or its initial state: such arms are paired with the baseline by seed alone."""
_BOOLEANS = {"true": True, "false": False}


def changed(system: System, assignments: Iterable[str]) -> tuple[System, dict[str, Any]]:
    """The system after "option=value", ..., and what was changed, plain types.

    What disturbs comes on top of what disturbs already. Raises `UnknownName` or `InvalidOption`.
    """
    arm: dict[str, Any] = {}
    for assignment in assignments:
        option, value = _assigned(ARMS.get(assignment, assignment))
        arm[option] = (*arm.get(option, ()), *value) if isinstance(value, tuple) else value
    there = {option: (*getattr(system, option), *value) if isinstance(value, tuple) else value
             for option, value in arm.items()}
    after = replace(system, **there)
    if arm and after == system:
        raise InvalidOption(f"{', '.join(assignments)} changes nothing: the system is so already")
    return after, {option: list(value) if isinstance(value, tuple) else value for option, value in arm.items()}


def folder_name(assignment: str) -> str:
    """What the folder of an arm is called after."""
    return re.sub(r"[^\w.]+", "-", assignment).strip("-")


def _assigned(assignment: str) -> tuple[str, Any]:
    option, equals, text = assignment.partition("=")
    known = [field.name for field in fields(System) if field.name != "task"]
    if not equals and option not in known:
        raise UnknownName("arm", assignment, (*ARMS, "OPTION=VALUE"))
    if option not in known:
        raise UnknownName("option of an arm", option, known)
    return option, _typed(option, text)


def _typed(option: str, text: str) -> Any:
    hint = get_type_hints(System)[option]
    if get_origin(hint) is tuple:
        return (text,)
    kind = next(kind for kind in (*get_args(hint), hint) if kind is not type(None))
    try:
        return _BOOLEANS[text.lower()] if kind is bool else kind(text)
    except (KeyError, ValueError) as reason:
        raise InvalidOption(f"--arm {option} takes a {kind.__name__}, got {text!r}") from reason
