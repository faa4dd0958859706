"""How a controller is started."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tandem.bridge.controller.options import Limits
from tandem.bridge.controller.ports import Address
from tandem.bridge.roles import Role


@dataclass(frozen=True)
class Setup:
    """See the module.

    Attributes:
        driver: "dummy", "sim" or "module:Class".
        options: of the driver, by name.
        address: where to be reached.
        keys: folder of keys; None for plain on loopback.
        loopback_role: what every process of this computer may do on plain loopback.
        limits: times and guards.
        collisions: look ahead for collisions of the arm with itself.
        realtime: ask for real-time scheduling of the servo and processors that stay awake.
    """

    driver: str = "dummy"
    options: dict[str, Any] = field(default_factory=dict)
    address: Address = field(default_factory=Address)
    keys: Path | None = None
    loopback_role: Role = Role.SUPERVISOR
    limits: Limits = field(default_factory=Limits)
    collisions: bool = True
    realtime: bool = True
