"""The networks, by name. A further one is a module with a configuration and a class that takes (shapes, config)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from importlib import import_module
from typing import Any

from torch import nn

from tandem.bridge.contract import InvalidOption, UnknownName
from tandem.policies.learned.network import Shapes

ARCHITECTURES: Mapping[str, tuple[str, str, str]] = {
    "flow": ("flow", "Flow", "FlowConfig"),
    "act": ("act", "Act", "ActConfig"),
}
"""By name: module, class, and class of the configuration."""


def network_for(architecture: str, shapes: Shapes, settings: Mapping[str, Any]) -> nn.Module:
    """A network with random weights.

    Raises:
        UnknownName: there is no such architecture.
        InvalidOption: it has no such setting, or a value has no meaning.
    """
    if architecture not in ARCHITECTURES:
        raise UnknownName("architecture", architecture, ARCHITECTURES)
    name, network, config = ARCHITECTURES[architecture]
    module = import_module(f"tandem.policies.learned.{name}")
    kind = getattr(module, config)
    known = {field.name: field.type for field in fields(kind)}
    if unknown := sorted(set(settings) - set(known)):
        raise InvalidOption(f"{architecture} has no setting {', '.join(unknown)}; known: {', '.join(known)}")
    given = {key: tuple(value) if isinstance(value, list) else value for key, value in settings.items()}
    return getattr(module, network)(shapes, kind(**given))
