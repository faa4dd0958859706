"""Reads a reply: strict JSON, then the question's schema. Whatever a server promises, nothing else becomes a plan.

The JSON is stricter than Python's: no NaN, no number that overflows, no key twice, no half of a surrogate pair (which
no log could hold).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from tandem.agent.planner.validation import mistake, shown
from tandem.bridge.contract import PlannerFailed

MAX_REPLY = 200_000  # characters: no plan is that long


def read_answer(reply: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The reply as an object that satisfies the schema, or `PlannerFailed` saying what is wrong with it."""
    value = parse(reply)
    if not isinstance(value, dict):
        raise PlannerFailed(f"the reply must be a JSON object, got {shown(value)}")
    if (fault := mistake(value, schema)) is not None:
        raise PlannerFailed(f"the reply breaks its schema: {fault}")
    return value


def parse(reply: str) -> Any:
    """Strict JSON, or `PlannerFailed` saying what is wrong with it."""
    if not reply.strip():
        raise PlannerFailed("the reply is empty")
    if len(reply) > MAX_REPLY:
        raise PlannerFailed(f"the reply has {len(reply)} characters, more than the {MAX_REPLY} that are read")
    try:
        value = json.loads(reply, object_pairs_hook=_object, parse_float=_number, parse_constant=_number)
        json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        fault = "it is nested too deeply"
    except ValueError as reason:  # JSONDecodeError, UnicodeEncodeError, too many digits
        fault = str(reason)
    else:
        return value
    raise PlannerFailed(f"the reply is not JSON: {fault}: {shown(reply)}")


def unfenced(reply: str) -> str:
    """Without the fence of a code block around the whole of it: models that are only asked like to set one."""
    lines = reply.strip().splitlines()
    fenced = len(lines) > 2 and lines[0] in ("```", "```json") and lines[-1] == "```"
    return "\n".join(lines[1:-1]) if fenced else reply


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for name, part in pairs:
        if name in value:
            raise ValueError(f"the key {shown(name)} is there twice")
        value[name] = part
    return value


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {shown(text)} is not finite")
    return number
