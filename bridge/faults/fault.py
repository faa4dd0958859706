"""What all faults have in common: where they strike, options that have a meaning, and the words for them.

A fault is a value: it decides nothing by itself and draws nothing; see `decisions` and `outages`.
"""

from __future__ import annotations

import math
from dataclasses import MISSING, dataclass, fields
from enum import StrEnum
from typing import ClassVar

from tandem.bridge.contract.errors import InvalidOption, UnknownName

PORTS = ("control", "command", "state", "media", "stop")  # of a controller; as in bridge/PROTOCOL.md


class Direction(StrEnum):
    """Where a message is going."""

    TO_CONTROLLER = "controller"
    TO_CLIENT = "client"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Something that a network does wrong. Numbers are finite and not negative.

    Attributes:
        only: the port that it strikes, "" for all.
        towards: the direction that it strikes ("controller" or "client"), "" for both.

    Raises:
        InvalidOption: a number without a meaning.
        UnknownName: no such port or direction.
    """

    only: str = ""
    towards: str = ""
    name: ClassVar[str] = ""

    def __post_init__(self):
        if self.only:
            _check_known("port", self.only, PORTS)
        if self.towards:
            _check_known("direction", self.towards, tuple(Direction))
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, str):
                _check_number(f"{field.name} of the fault {self.name!r}", field.name, value)

    def strikes(self, port: str, direction: Direction) -> bool:
        """Whether it strikes messages of this port in this direction."""
        return self.only in ("", port) and self.towards in ("", direction)

    def __str__(self) -> str:
        """As `faults_named` reads it: what is not said is the default."""
        given = [f"{field.name}={_plain(getattr(self, field.name))}" for field in _in_order(self)
                 if field.default is MISSING or getattr(self, field.name) != field.default]
        return f"{self.name}:{','.join(given)}" if given else self.name


def _check_known(kind: str, name: str, known: tuple[str, ...]) -> None:
    if name not in known:
        raise UnknownName(kind, name, known)


def _check_number(what: str, option: str, value: float) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
        raise InvalidOption(f"{what} must be a number of at least 0, got {value!r}")
    if option == "p" and value > 1:
        raise InvalidOption(f"{what} is a probability, 0 to 1, got {value!r}")
    if option == "seconds" and value == 0:
        raise InvalidOption(f"{what} must be above 0, got {value!r}; leave the fault out for none")


def _in_order(fault: Fault) -> list:
    return sorted(fields(fault), key=lambda field: field.name in ("only", "towards"))


def _plain(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return f"{value:g}" if float(f"{value:g}") == value else repr(float(value))
