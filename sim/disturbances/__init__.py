"""Things that go wrong on purpose, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any

from tandem.bridge.contract import InvalidOption, UnknownName
from tandem.sim.disturbances.black_camera import BlackCamera
from tandem.sim.disturbances.camera_shift import CameraShift
from tandem.sim.disturbances.delayed import Delayed
from tandem.sim.disturbances.disturbance import Disturbance, Options
from tandem.sim.disturbances.dropped_frames import DroppedFrames
from tandem.sim.disturbances.frozen_camera import FrozenCamera
from tandem.sim.disturbances.knocked import Knocked
from tandem.sim.disturbances.lighting import Lighting
from tandem.sim.disturbances.moved import Moved
from tandem.sim.disturbances.noise import Noise
from tandem.sim.disturbances.nudged import Nudged
from tandem.sim.disturbances.slipped import Slipped

DISTURBANCES: Mapping[str, type[Disturbance]] = MappingProxyType({
    kind.name: kind for kind in (
        Moved, Knocked, Slipped, FrozenCamera, BlackCamera, Noise, Delayed, CameraShift, DroppedFrames, Lighting,
        Nudged,
    )
})
"""Every disturbance, by name, in the order in which they are listed."""


def disturbance_named(spec: str) -> Disturbance:
    """A disturbance from words, "moved" or "moved:earliest_s=3,latest_s=4".

    Raises:
        UnknownName: there is none of that name; the message lists those that exist.
        InvalidOption: it has no such option, or the value has no meaning.
    """
    name, _, rest = spec.partition(":")
    if name not in DISTURBANCES:
        raise UnknownName("disturbance", name, DISTURBANCES)
    kind = DISTURBANCES[name]
    kinds = {field.name: type(field.default) for field in fields(kind.Options)}
    given = dict(_assigned(name, part, kinds) for part in rest.split(",") if part)
    return kind(kind.Options(**given))


def _assigned(name: str, part: str, kinds: Mapping[str, Callable[[str], Any]]) -> tuple[str, Any]:
    """'steps=3' -> ('steps', 3)."""
    key, equals, text = (word.strip() for word in part.partition("="))
    if not equals or key not in kinds:
        raise InvalidOption(f"disturbance {name!r} has no option {part!r}; known, as key=value: {', '.join(kinds)}")
    try:
        return key, kinds[key](text)
    except ValueError as reason:
        wanted = "a whole number" if kinds[key] is int else "a number"
        raise InvalidOption(f"option {key} of disturbance {name!r} must be {wanted}, got {text!r}") from reason


__all__ = ["DISTURBANCES", "Disturbance", "Options", "disturbance_named"]
