"""Machine parts, and a tray with a pocket for each: what a kitting station has on its table.

A part collides as one primitive, so that grasping it is as sure as grasping a block; teeth, bores and screw holes are
only seen. A pocket is a floor and thin ribs around it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import mujoco
import numpy as np

from tandem.sim.entities import BOX, CYLINDER, DENSITY, Entity, body_name, yaw_quat

FLOOR_M, RIB_M, RIB_HEIGHT_M = 0.003, 0.003, 0.014
DEEP, PALE = 0.35, 1.6  # bores and faces are shades of the part's own colour: it looks like one thing of one colour
_HIDDEN_GROUP = 3  # collides, and no camera shows it
_SKIN_M = 0.0004  # what is only seen stands proud of what collides by this much


@dataclass(frozen=True)
class Part:
    """A kind of part.

    Attributes:
        round: a cylinder, otherwise a box.
        size: full extents at the reference scale, m.
        look: what is drawn on it: "gear", "nut", "bore", "holes" or "chamfer".
    """

    round: bool
    size: tuple[float, float, float]
    look: str


PARTS: Mapping[str, Part] = MappingProxyType({
    "gear": Part(True, (0.050, 0.050, 0.028), "gear"),
    "hex nut": Part(True, (0.044, 0.044, 0.026), "nut"),
    "bushing": Part(True, (0.036, 0.036, 0.036), "bore"),
    "pin": Part(True, (0.024, 0.024, 0.050), "chamfer"),
    "bracket": Part(False, (0.052, 0.028, 0.030), "holes"),
    "plate": Part(False, (0.052, 0.040, 0.022), "holes"),
})
"""Every part, by name."""


def add_part(
    spec: mujoco.MjSpec, name: str, *, size: Sequence[float], rgb: Sequence[float], xy: Sequence[float],
    yaw_rad: float = 0.0, colour: str = "",
) -> Entity:
    """A loose part of `PARTS`, standing on the table."""
    part, size = PARTS[name], tuple(float(extent) for extent in size)
    half, words = np.array(size) / 2, body_name(name)
    body = spec.worldbody.add_body(name=words, pos=[*xy, half[2]], quat=yaw_quat(yaw_rad))
    body.add_freejoint(name=f"{words}_free")
    kind, geom_size = (CYLINDER, [half[0], half[2], 0]) if part.round else (BOX, half)
    body.add_geom(
        name=f"{words}_geom", type=kind, size=geom_size, rgba=[*rgb, 1], density=DENSITY, condim=4,
        friction=[0.9, 0.01, 0.0005], solref=[0.006, 1], group=_HIDDEN_GROUP if part.look in ("gear", "nut") else 0,
    )
    _LOOKS[part.look](body, half, rgb)
    return Entity(
        name, "block", words, size, (0, 0, half[2]), half[2], joint=f"{words}_free", colour=colour,
        shape="cylinder" if part.round else "brick",
    )


def _show(
    body: mujoco.MjsBody, kind: int, size: Sequence[float], rgb: Sequence[float], pos: Sequence[float], yaw: float = 0.0
) -> None:
    """A geom that is seen and neither collides nor weighs anything."""
    body.add_geom(
        type=kind, size=size, pos=pos, quat=yaw_quat(yaw), rgba=[*rgb, 1], contype=0, conaffinity=0, density=0, group=1
    )


def _disc(
    body: mujoco.MjsBody, half: np.ndarray, rgb: Sequence[float], radius: float, *, at: Sequence[float] = (0.0, 0.0),
    shade: float = DEEP, layer: int = 1,
) -> None:
    tone = np.array(rgb) * min(shade, 1 / max(rgb))
    _show(body, CYLINDER, [radius, half[2] / 8, 0], tone, [*at, half[2] * 7 / 8 + layer * _SKIN_M])


def _gear(body: mujoco.MjsBody, half: np.ndarray, rgb: Sequence[float]) -> None:
    radius, teeth = half[0], 14
    _show(body, CYLINDER, [0.84 * radius, half[2], 0], rgb, [0, 0, 0])
    for angle in np.arange(teeth) * 2 * np.pi / teeth:
        tooth = [0.10 * radius, 0.10 * radius, half[2]]
        _show(body, BOX, tooth, rgb, [0.89 * radius * np.cos(angle), 0.89 * radius * np.sin(angle), 0], angle)
    _disc(body, half, rgb, 0.5 * radius, shade=PALE)
    _disc(body, half, rgb, 0.26 * radius, layer=2)


def _nut(body: mujoco.MjsBody, half: np.ndarray, rgb: Sequence[float]) -> None:
    radius = half[0]
    for angle in (0.0, np.pi / 3, 2 * np.pi / 3):  # three crossed bars are a hexagon
        _show(body, BOX, [radius * np.cos(np.pi / 6), radius / 2, half[2]], rgb, [0, 0, 0], angle)
    _disc(body, half, rgb, 0.5 * radius)


def _bore(body: mujoco.MjsBody, half: np.ndarray, rgb: Sequence[float]) -> None:
    _disc(body, half, rgb, 0.55 * half[0])


def _holes(body: mujoco.MjsBody, half: np.ndarray, rgb: Sequence[float]) -> None:
    radius = 0.2 * half[1]
    for x in (-0.62, 0.62):
        for y in (-0.5, 0.5) if half[1] > 0.65 * half[0] else (0.0,):
            _disc(body, half, rgb, radius, at=(x * half[0], y * half[1]))


def _chamfer(body: mujoco.MjsBody, half: np.ndarray, rgb: Sequence[float]) -> None:
    _disc(body, half, rgb, 0.7 * half[0], shade=PALE)


_LOOKS = {"gear": _gear, "nut": _nut, "bore": _bore, "holes": _holes, "chamfer": _chamfer}


def add_tray(spec: mujoco.MjSpec, *, size: Sequence[float], xy: Sequence[float], yaw_rad: float) -> Entity:
    """The plate that pockets stand on. `size` is (length, width), m."""
    half = [size[0] / 2, size[1] / 2, FLOOR_M / 4]
    body = spec.worldbody.add_body(name="tray", pos=[*xy, 0], quat=yaw_quat(yaw_rad))
    body.add_geom(name="tray_plate", type=BOX, pos=[0, 0, half[2]], size=half, rgba=[0.30, 0.32, 0.35, 1])
    return Entity("tray", "tray", "tray", (*size, FLOOR_M / 2), (0, 0, FLOOR_M / 2), FLOOR_M / 2)


def add_slot(
    spec: mujoco.MjSpec, part: str, *, inner: Sequence[float], rgb: Sequence[float], xy: Sequence[float],
    yaw_rad: float, colour: str = "",
) -> Entity:
    """The pocket of a part: "gear slot". `inner` is (length, width) between the ribs, m; a ring for a round part."""
    name = f"{part} slot"
    words, rim = body_name(name), FLOOR_M + RIB_HEIGHT_M
    body = spec.worldbody.add_body(name=words, pos=[*xy, 0], quat=yaw_quat(yaw_rad))
    pad = {"type": CYLINDER, "size": [inner[0] / 2, FLOOR_M / 2, 0]} if PARTS[part].round else {
        "type": BOX, "size": [inner[0] / 2, inner[1] / 2, FLOOR_M / 2]
    }
    body.add_geom(name=f"{words}_floor", pos=[0, 0, FLOOR_M / 2], rgba=[*(0.75 * np.array(rgb)), 1], **pad)
    ribs = _ring(inner[0] / 2) if PARTS[part].round else _frame(inner)
    for i, (x, y, yaw, length) in enumerate(ribs):
        body.add_geom(
            name=f"{words}_rib{i}", type=BOX, pos=[x, y, rim / 2], size=[RIB_M / 2, length / 2, rim / 2],
            quat=yaw_quat(yaw), rgba=[0.80, 0.81, 0.83, 1], friction=[0.3, 0.01, 0.0005],
        )
    return Entity(
        name, "slot", words, (float(inner[0]), float(inner[1]), rim), (0, 0, FLOOR_M), rim, colour=colour,
        shape="cylinder" if PARTS[part].round else "brick",
    )


def _ring(radius: float, sides: int = 12) -> list[tuple[float, float, float, float]]:
    """x, y, yaw and length of ribs that form a polygon around a circle."""
    middle = radius + RIB_M / 2
    length = 2 * (radius + RIB_M) * np.tan(np.pi / sides)
    return [(middle * np.cos(a), middle * np.sin(a), a, length) for a in np.arange(sides) * 2 * np.pi / sides]


def _frame(inner: Sequence[float]) -> list[tuple[float, float, float, float]]:
    """The same for a rectangle."""
    x, y = (extent / 2 + RIB_M / 2 for extent in inner)
    return [
        (x, 0.0, 0.0, inner[1] + 2 * RIB_M), (-x, 0.0, 0.0, inner[1] + 2 * RIB_M),
        (0.0, y, np.pi / 2, inner[0]), (0.0, -y, np.pi / 2, inner[0]),
    ]
