"""Things that a task puts on the table, as parts of an `MjSpec`, and what a skill must know of each.

Every builder adds bodies to a scene's `MjSpec` and returns an `Entity`, which remembers where it is grasped, set down
on or pulled. Positions are in the base frame, metres; the table top is z = 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import mujoco
import numpy as np

BOX, CYLINDER = mujoco.mjtGeom.mjGEOM_BOX, mujoco.mjtGeom.mjGEOM_CYLINDER
DENSITY = 400.0  # kg/m^3, light wood
WALL = 0.004  # thickness of bin walls, m


@dataclass(frozen=True)
class Entity:
    """One thing with a name.

    Attributes:
        name: the words for it, unique in its scene: "red cube".
        kind: "block", "bin", "slot", "hole", "drawer", "button", "belt", ...
        body: name of its MuJoCo body.
        size: full extents in its own frame, m.
        surface: where it is grasped, pressed or set down on, in its body frame, m.
        rim: height of its highest part above its body's origin, m.
        outward: direction in which it is pulled, in its body frame; zero if none.
        joint: name of its free joint (loose things) or of the joint that a skill moves (drawer, button), or None.
        colour: a word, or "".
        shape: a word, or "".
    """

    name: str
    kind: str
    body: str
    size: tuple[float, float, float]
    surface: tuple[float, float, float]
    rim: float
    outward: tuple[float, float, float] = (0.0, 0.0, 0.0)
    joint: str | None = None
    colour: str = ""
    shape: str = ""

    @property
    def loose(self) -> bool:
        """Whether it can be picked up."""
        return self.kind == "block"


def yaw_quat(yaw_rad: float) -> list[float]:
    """Quaternion wxyz of a rotation about z."""
    return [np.cos(yaw_rad / 2), 0.0, 0.0, np.sin(yaw_rad / 2)]


def body_name(words: str) -> str:
    """'red cube' -> 'red_cube'."""
    return words.replace(" ", "_")


def add_block(
    spec: mujoco.MjSpec, name: str, *, shape: str, size: Sequence[float], rgb: Sequence[float],
    xy: Sequence[float], yaw_rad: float = 0.0, z: float = 0.0, colour: str = "",
) -> Entity:
    """A loose cube, brick (boxes) or upright cylinder standing at height z."""
    size = tuple(float(extent) for extent in size)
    body = spec.worldbody.add_body(name=body_name(name), pos=[*xy, z + size[2] / 2], quat=yaw_quat(yaw_rad))
    body.add_freejoint(name=f"{body_name(name)}_free")
    half = [extent / 2 for extent in size]
    kind, geom_size = (CYLINDER, [half[0], half[2], 0]) if shape == "cylinder" else (BOX, half)
    body.add_geom(
        name=f"{body_name(name)}_geom", type=kind, size=geom_size, rgba=[*rgb, 1], density=DENSITY,
        condim=6 if kind == CYLINDER else 4,  # 6 has rolling friction: a toppled cylinder comes to rest
        friction=[0.9, 0.01, 0.0005], solref=[0.006, 1],
    )
    return Entity(
        name, "block", body_name(name), size, (0, 0, half[2]), half[2], joint=f"{body_name(name)}_free",
        colour=colour, shape=shape,
    )


def add_bin(
    spec: mujoco.MjSpec, name: str, *, size: Sequence[float], rgb: Sequence[float], xy: Sequence[float],
    yaw_rad: float = 0.0, colour: str = "",
) -> Entity:
    """An open box that stands still: floor and four walls. `size` is the outside, m."""
    length, width, height = (float(extent) for extent in size)
    body = spec.worldbody.add_body(name=body_name(name), pos=[*xy, 0], quat=yaw_quat(yaw_rad))
    half_wall, rgba = WALL / 2, [*rgb, 1]
    parts = (
        ("floor", [0, 0, half_wall], [length / 2, width / 2, half_wall]),
        ("front", [length / 2 - half_wall, 0, height / 2], [half_wall, width / 2, height / 2]),
        ("back", [half_wall - length / 2, 0, height / 2], [half_wall, width / 2, height / 2]),
        ("left", [0, width / 2 - half_wall, height / 2], [length / 2 - WALL, half_wall, height / 2]),
        ("right", [0, half_wall - width / 2, height / 2], [length / 2 - WALL, half_wall, height / 2]),
    )
    for part, pos, half in parts:
        shade = [channel * 0.75 for channel in rgb] if part == "floor" else rgb
        body.add_geom(
            name=f"{body_name(name)}_{part}", type=BOX, pos=pos, size=half, rgba=[*shade, rgba[3]],
            friction=[0.8, 0.01, 0.0005],
        )
    return Entity(name, "bin", body_name(name), (length, width, height), (0, 0, WALL), height, colour=colour)
