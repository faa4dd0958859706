"""Faults from words and back: for a command line, and for a log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields
from types import MappingProxyType
from typing import Any, get_type_hints

from tandem.bridge.contract.errors import InvalidOption, UnknownName
from tandem.bridge.faults.fault import Fault
from tandem.bridge.faults.messages import Delay, Drop, Duplicate, Reorder
from tandem.bridge.faults.outages import Cut, Freeze, HalfOpen

FAULTS: Mapping[str, type[Fault]] = MappingProxyType({
    kind.name: kind for kind in (Delay, Drop, Duplicate, Reorder, Freeze, HalfOpen, Cut)
})
"""Every fault, by name, in the order in which they are listed."""


def faults_named(words: str) -> tuple[Fault, ...]:
    """Faults from words, "delay:ms=20,jitter_ms=5;drop:p=0.1,only=command"; none from "".

    Raises:
        UnknownName: there is no fault, port or direction of that name; the message lists those that exist.
        InvalidOption: a fault has no such option, lacks one, or the value has no meaning.
    """
    return tuple(_fault(part.strip()) for part in words.split(";") if part.strip())


def faults_text(faults: Iterable[Fault]) -> str:
    """The words that `faults_named` makes the same faults of."""
    return ";".join(str(fault) for fault in faults)


def _fault(words: str) -> Fault:
    name, _, rest = (part.strip() for part in words.partition(":"))
    if name not in FAULTS:
        raise UnknownName("fault", name, FAULTS)
    kind = FAULTS[name]
    given: dict[str, Any] = {}
    for part in rest.split(","):
        if part.strip():
            option, value = _assigned(kind, part)
            if option in given:
                raise InvalidOption(f"option {option} of fault {name!r} is given twice; give it once")
            given[option] = value
    missing = [field.name for field in fields(kind) if field.default is MISSING and field.name not in given]
    if missing:
        raise InvalidOption(f"fault {name!r} needs {' and '.join(missing)}: write {name}:{missing[0]}=NUMBER,...")
    return kind(**given)


def _assigned(kind: type[Fault], part: str) -> tuple[str, Any]:
    """'p=0.1' -> ('p', 0.1)."""
    option, equals, text = (word.strip() for word in part.partition("="))
    known = [field.name for field in fields(kind)]
    if not equals or option not in known:
        raise InvalidOption(f"fault {kind.name!r} has no option {part!r}; known, as key=value: {', '.join(known)}")
    if get_type_hints(kind)[option] is str:
        return option, text
    try:
        return option, float(text)
    except ValueError as reason:
        raise InvalidOption(f"option {option} of fault {kind.name!r} must be a number, got {text!r}") from reason
