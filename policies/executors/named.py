"""Executors by name, as on a command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any

from tandem.bridge.contract import BodySpec, InvalidOption, Policy, UnknownName
from tandem.policies.executors.asynchronous import Asynchronous
from tandem.policies.executors.ensemble import Ensemble
from tandem.policies.executors.executor import Executor, Options
from tandem.policies.executors.open_loop import OpenLoop
from tandem.policies.executors.real_time import RealTimeChunking
from tandem.policies.executors.thinking import Clock
from tandem.policies.executors.timestamped import Timestamped

EXECUTORS: Mapping[str, type[Executor]] = MappingProxyType({
    kind.name: kind for kind in (OpenLoop, Ensemble, Asynchronous, RealTimeChunking, Timestamped)
})
"""Every executor, by name, in the order in which they are listed."""


@dataclass(frozen=True)
class Choice:
    """An executor that was chosen, for any policy and body."""

    kind: type[Executor]
    options: Options

    def around(self, policy: Policy, spec: BodySpec, clock: Clock | None = None) -> Executor:
        """The executor around a policy. Raises `InvalidOption` when it cannot drive by that policy."""
        return self.kind(policy, spec, self.options, clock)


def executor_named(spec: str) -> Choice:
    """An executor from words, "rtc" or "rtc:jacobian=full,horizon=6".

    Raises:
        UnknownName: there is none of that name, or an option has no such value; the message lists those that exist.
        InvalidOption: it has no such option, or the value has no meaning.
    """
    name, _, rest = spec.partition(":")
    if name not in EXECUTORS:
        raise UnknownName("executor", name, EXECUTORS)
    kind = EXECUTORS[name]
    kinds = {field.name: type(field.default) for field in fields(kind.Options)}
    given = dict(_assigned(name, part, kinds) for part in rest.split(",") if part)
    return Choice(kind, kind.Options(**given))


def _assigned(name: str, part: str, kinds: Mapping[str, Callable[[str], Any]]) -> tuple[str, Any]:
    """'horizon=8' -> ('horizon', 8)."""
    key, equals, text = (word.strip() for word in part.partition("="))
    if not equals or key not in kinds:
        raise InvalidOption(f"executor {name!r} has no option {part!r}; known, as key=value: {', '.join(kinds)}")
    try:
        return key, kinds[key](text)
    except ValueError as reason:
        wanted = "a whole number" if kinds[key] is int else "a number"
        raise InvalidOption(f"option {key} of executor {name!r} must be {wanted}, got {text!r}") from reason
