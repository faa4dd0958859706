"""Checks a value against the subset of JSON schema that Tandem writes (`schema.py`), without a model's libraries.

It reads a schema as a grammar reads it: an object holds no further properties, a pattern matches the whole string, an
integer is written as one. A keyword outside of the subset is refused rather than ignored.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from tandem.bridge.contract import PlannerFailed

Schema = Mapping[str, Any] | bool

_SHOWN = 120  # characters of a value in a message
_NOTES = frozenset({"$defs", "additionalProperties", "title", "description"})  # read elsewhere, or by people
_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool,
    "null": type(None),
}


def mistake(value: Any, schema: Schema) -> str | None:
    """Where and how a value of parsed JSON breaks the schema, None when it satisfies it.

    Raises `PlannerFailed` for a schema that cannot be checked.
    """
    definitions = schema.get("$defs", {}) if isinstance(schema, Mapping) else {}
    try:
        fault = _fault(value, schema, _Place("answer", definitions))
    except RecursionError:
        return "it is nested too deeply"
    return None if fault is None else f"{fault.path} must {fault.must}, got {shown(fault.value)}"


def shown(value: Any) -> str:
    """As JSON, cut short for a message."""
    text = json.dumps(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


@dataclass(frozen=True)
class _Place:
    """Where a value stands: its path, the definitions that may be referred to, the schema that is being read."""

    path: str
    definitions: Mapping[str, Schema]
    schema: Mapping[str, Any] | None = None

    def inner(self, key: str | int) -> _Place:
        dotted = isinstance(key, str) and key.isidentifier() and len(key) < _SHOWN
        return replace(self, path=f"{self.path}.{key}" if dotted else f"{self.path}[{shown(key)}]")


class _Fault(NamedTuple):
    """What stands where and what it must do instead; `other` when it may only be of another form."""

    path: str
    must: str
    value: Any
    other: bool = False

    @property
    def rank(self) -> tuple[bool, int]:
        """The more, the nearer to what was meant."""
        return not self.other, self.path.count(".") + self.path.count("[")


Rule = Callable[[Any, Any, _Place], _Fault | None]


def _fault(value: Any, schema: Schema, at: _Place) -> _Fault | None:
    if isinstance(schema, bool):
        return None if schema else _Fault(at.path, "not be there", value)
    at = replace(at, schema=schema)
    for keyword in schema.keys() - _RULES.keys() - _NOTES:
        raise PlannerFailed(f"the schema says {keyword!r}, which is not checked; use: {', '.join(_RULES)}")
    return _first(rule(value, schema[keyword], at) for keyword, rule in _RULES.items() if keyword in schema)


def _first(faults: Iterable[_Fault | None]) -> _Fault | None:
    return next((fault for fault in faults if fault is not None), None)


def _ref(value: Any, name: str, at: _Place) -> _Fault | None:
    target = at.definitions.get(name.removeprefix("#/$defs/"))
    if target is None:
        raise PlannerFailed(f"the schema refers to {name!r}, which is not there; it has: {', '.join(at.definitions)}")
    return _fault(value, target, at)


def _type(value: Any, name: str, at: _Place) -> _Fault | None:
    fits = isinstance(value, _TYPES[name]) and (name == "boolean" or not isinstance(value, bool))
    return None if fits else _Fault(at.path, f"be of type {name}", value)


def _enum(value: Any, known: Sequence[Any], at: _Place) -> _Fault | None:
    """Equal as JSON: true is not 1, and 1.0 is not 1."""
    text = json.dumps(value, sort_keys=True)
    if any(json.dumps(one, sort_keys=True) == text for one in known):
        return None
    return _Fault(at.path, f"be {' or '.join(map(shown, known)) or 'one of no values'}", value, other=True)


def _const(value: Any, one: Any, at: _Place) -> _Fault | None:
    return _enum(value, [one], at)


def _any_of(value: Any, options: Sequence[Schema], at: _Place) -> _Fault | None:
    """Of the faults, the one nearest to an answer: it belongs to the form that was meant."""
    faults = [_fault(value, option, at) for option in options]
    if None in faults:
        return None
    nearest = max(faults, key=lambda fault: fault.rank)
    same = (fault.must for fault in faults if (fault.path, fault.rank) == (nearest.path, nearest.rank))
    return nearest._replace(must=", or ".join(dict.fromkeys(same)))


def _properties(value: Any, known: Mapping[str, Schema], at: _Place) -> _Fault | None:
    others = at.schema.get("additionalProperties", False)
    parts = value.items() if isinstance(value, dict) else ()
    return _first(_fault(part, known.get(name, others), at.inner(name)) for name, part in parts)


def _required(value: Any, names: Sequence[str], at: _Place) -> _Fault | None:
    missing = [name for name in names if name not in value] if isinstance(value, dict) else []
    return _Fault(at.path, f"have {', '.join(missing)}", value) if missing else None


def _items(value: Any, item: Schema, at: _Place) -> _Fault | None:
    first = len(at.schema.get("prefixItems", ()))
    parts = list(enumerate(value))[first:] if isinstance(value, list) else ()
    return _first(_fault(part, item, at.inner(i)) for i, part in parts)


def _prefix_items(value: Any, items: Sequence[Schema], at: _Place) -> _Fault | None:
    parts = enumerate(zip(value, items, strict=False)) if isinstance(value, list) else ()
    return _first(_fault(part, item, at.inner(i)) for i, (part, item) in parts)


def _pattern(value: Any, text: str, at: _Place) -> _Fault | None:
    fits = not isinstance(value, str) or re.fullmatch(text, value)
    return None if fits else _Fault(at.path, f"match {text}", value)


def _bound(kinds: type | tuple[type, ...], size: Callable[[Any], Any], holds: Callable, words: str) -> Rule:
    """A bound on values of some kinds: how they are measured, what must hold, in words."""

    def rule(value: Any, bound: float, at: _Place) -> _Fault | None:
        if not isinstance(value, kinds) or isinstance(value, bool) or holds(size(value), bound):
            return None
        return _Fault(at.path, f"{words} {bound}", value)

    return rule


def _itself(number: float) -> float:
    return number


# In this order: what is cheap and tells most comes first.
_RULES: dict[str, Rule] = {
    "$ref": _ref, "type": _type, "const": _const, "enum": _enum,
    "minimum": _bound((int, float), _itself, operator.ge, "be at least"),
    "maximum": _bound((int, float), _itself, operator.le, "be at most"),
    "minLength": _bound(str, len, operator.ge, "have a length of at least"),
    "maxLength": _bound(str, len, operator.le, "have a length of at most"),
    "minItems": _bound(list, len, operator.ge, "have a number of items of at least"),
    "maxItems": _bound(list, len, operator.le, "have a number of items of at most"),
    "pattern": _pattern, "properties": _properties, "required": _required, "prefixItems": _prefix_items,
    "items": _items, "anyOf": _any_of,
}
