"""The types of fields, each with the check that it must pass once, where a message enters."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tandem.bridge.wire.refusal import Refusal, Refused

MAX_WORDS = 4096  # characters of a text
MAX_NAMES = 64
MAX_WHOLE = 2**63 - 1
REAL = np.dtype("<f8")
_FEW = 16

_PLAIN = (type(None), bool, int, float, str, bytes)


def _whole(name: str, value: Any) -> int:
    if type(value) is not int or not 0 <= value <= MAX_WHOLE:
        raise Refused(Refusal.MALFORMED, f"{name} must be a whole number of 0 to 2^63 - 1, got {_short(value)}")
    return value


def _number(name: str, value: Any) -> float:
    if type(value) not in (int, float):
        raise Refused(Refusal.MALFORMED, f"{name} must be a number, got {_short(value)}")
    if not math.isfinite(value):
        raise Refused(Refusal.NOT_FINITE, f"{name} is {value}")
    return float(value)


def _flag(name: str, value: Any) -> bool:
    if type(value) is not bool:
        raise Refused(Refusal.MALFORMED, f"{name} must be true or false, got {_short(value)}")
    return value


def _words(name: str, value: Any) -> str:
    if type(value) is not str or len(value) > MAX_WORDS:
        raise Refused(Refusal.MALFORMED, f"{name} must be a text of at most {MAX_WORDS} characters")
    return value


def _names(name: str, value: Any) -> tuple[str, ...]:
    if type(value) is not list or len(value) > MAX_NAMES or not all(type(word) is str for word in value):
        raise Refused(Refusal.MALFORMED, f"{name} must be a list of at most {MAX_NAMES} texts")
    return tuple(value)


def _wholes(name: str, value: Any) -> tuple[int, ...]:
    if type(value) is not list or len(value) > MAX_NAMES:
        raise Refused(Refusal.MALFORMED, f"{name} must be a list of at most {MAX_NAMES} whole numbers")
    return tuple(_whole(name, number) for number in value)


def _reals(name: str, value: Any) -> np.ndarray:
    if type(value) is not bytes or len(value) % REAL.itemsize:
        raise Refused(Refusal.MALFORMED, f"{name} must be binary: little-endian IEEE 754 doubles, one after another")
    array = np.frombuffer(value, REAL)
    total = sum(array.tolist()) if len(array) <= _FEW else array @ array  # not finite if one is not, or if it overflows
    if not math.isfinite(total) and not np.isfinite(array).all():
        raise Refused(Refusal.NOT_FINITE, f"{name} holds NaN or infinity at {int(np.argmin(np.isfinite(array)))}")
    return array


def _map(name: str, value: Any) -> dict[str, Any]:
    if type(value) is not dict:
        raise Refused(Refusal.MALFORMED, f"{name} must be a map, got {_short(value)}")
    return _any(name, value)


def _any(name: str, value: Any) -> Any:
    """What JSON can say, and bytes, however deep: no extension types, no number that is none."""
    within = [value]
    while within:
        one = within.pop()
        kind = type(one)
        if kind is dict:
            if not all(type(key) is str for key in one):
                raise Refused(Refusal.MALFORMED, f"{name} holds a map with a key that is no string")
            within.extend(one.values())
        elif kind is list:
            within.extend(one)
        elif kind is float and not math.isfinite(one):
            raise Refused(Refusal.NOT_FINITE, f"{name} holds {one}")
        elif kind not in _PLAIN:
            raise Refused(Refusal.MALFORMED, f"{name} holds a {kind.__name__}")
    return value


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _pack_reals(value: Any) -> bytes:
    return np.asarray(value, REAL).tobytes()


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class FieldType:
    """How one type of field is checked when it comes, and made plain when it goes.

    Attributes:
        name: as PROTOCOL.md calls it.
        check: (field's name, decoded value) to the value; raises `Refused`.
        pack: value to what msgpack writes.
    """

    name: str
    check: Callable[[str, Any], Any]
    pack: Callable[[Any], Any] = _same


WHOLE = FieldType("uint", _whole, int)
NUMBER = FieldType("float", _number, float)
FLAG = FieldType("bool", _flag, bool)
WORDS = FieldType("str", _words, str)
NAMES = FieldType("array of str", _names, list)
WHOLES = FieldType("array of uint", _wholes, list)
REALS = FieldType("bin of float64", _reals, _pack_reals)
MAP = FieldType("map", _map, dict)
ANY = FieldType("any", _any)
