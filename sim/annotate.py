"""What a camera shows, in words: every thing that can be named, a pixel on it, and where it is.

Privileged: this is what a perception model is taught and tested against, never what an agent is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tandem.sim import predicates
from tandem.sim.truth import Truth

MIN_PIXELS = 14  # of a 640x480 image: what shows less is not there for anybody who looks
SHARE_OF_IMAGE = MIN_PIXELS / (640 * 480)
ON_TABLE, OUT_OF_REACH, IN_GRIPPER = "on the table", "out of reach", "in the gripper"
OPEN, SHUT, HALF_OPEN = "open", "shut", "half open"
NOTHING = 255  # of a label map
REACH_SLACK = 1.08  # the workspace is cautious; what tasks call out of reach is 1.25 away


@dataclass(frozen=True)
class Shown:
    """One thing in an image.

    Attributes:
        name: the words for it.
        u: pixels from the left edge, of a pixel that shows it.
        v: pixels from the top edge.
        where: in a few words: on what, in what, or how it stands.
    """

    name: str
    u: float
    v: float
    where: str


def annotate(truth: Truth, camera: str) -> list[Shown]:
    """Everything that a camera shows, from left to right. What is hidden, or shows hardly a pixel, is left out."""
    pixels = _pixels_of_bodies(truth, camera)
    shown = []
    for name, entity in truth.world.entities.items():
        visible = pixels.get(truth.world.model.body(entity.body).id)
        if visible is None or len(visible) < SHARE_OF_IMAGE * np.prod(truth.camera_size(camera)):
            continue
        target = np.array(truth.project(truth.target(name).surface, camera))
        u, v = visible[np.argmin(((visible - target) ** 2).sum(axis=1))]
        shown.append(Shown(name, float(u), float(v), where(truth, name)))
    return sorted(shown, key=lambda thing: (thing.u, thing.v))


def label_map(truth: Truth, camera: str, things: Sequence[Shown], step: int) -> np.ndarray:
    """Which of these things each `step`-th pixel shows, by its number: uint8 (H / step, W / step), `NOTHING` for none.

    Where one body is several things (a tray and its slots), a pixel is the one whose point is nearest.
    """
    geoms = truth.segmentation(camera)[step // 2 :: step, step // 2 :: step]
    shown = np.where(geoms >= 0, truth.world.model.geom_bodyid[geoms], -1)
    rows, columns = np.indices(geoms.shape) * step + step // 2
    labels = np.full(geoms.shape, NOTHING, np.uint8)
    nearest = np.full(geoms.shape, np.inf)
    for number, thing in enumerate(things):
        away = (columns - thing.u) ** 2 + (rows - thing.v) ** 2
        mine = (shown == truth.world.model.body(truth.entity(thing.name).body).id) & (away < nearest)
        labels[mine], nearest[mine] = number, away[mine]
    return labels


def whereabouts(truth: Truth, camera: str) -> list[Shown]:
    """Everything that lies within a camera's view, hidden or not, without rendering anything."""
    width, height = truth.camera_size(camera)
    shown = []
    for name in truth.world.entities:
        u, v = truth.project(truth.target(name).surface, camera)
        if 0 <= u < width and 0 <= v < height:
            shown.append(Shown(name, float(u), float(v), where(truth, name)))
    return sorted(shown, key=lambda thing: (thing.u, thing.v))


def where(truth: Truth, name: str) -> str:
    """Where a thing is, or how it stands, in the words that prompts use."""
    entity = truth.entity(name)
    if entity.kind in ("drawer", "handle"):
        fraction = predicates.opened_fraction(truth, name)
        if predicates.SHUT_FRACTION <= fraction <= predicates.OPEN_FRACTION:
            return HALF_OPEN
        return OPEN if fraction > predicates.OPEN_FRACTION else SHUT
    if not entity.loose:
        return ON_TABLE
    if truth.held() == name and not truth.rests(name):
        return IN_GRIPPER
    return _support(truth, name) or _reach(truth, name)


def _support(truth: Truth, name: str) -> str | None:
    """What a loose thing lies in or on."""
    relations = {
        "slot": (predicates.seated, "in"), "hole": (predicates.inserted, "in"), "bin": (predicates.inside, "in"),
        "drawer": (predicates.inside, "in"), "block": (predicates.on_top, "on"),
    }
    for other, entity in truth.world.entities.items():
        if other != name and entity.kind in relations:
            holds, word = relations[entity.kind]
            if holds(truth, name, other):
                return f"{word} the {other}"
    return _flat_support(truth, name)


def _flat_support(truth: Truth, name: str) -> str | None:
    """The mat, the cabinet's top or the belt under it, if its middle is over one of them."""
    for other, entity in truth.world.entities.items():
        if entity.kind not in ("mat", "shelf", "belt"):
            continue
        x, y, z = predicates.offset_in(truth, name, other)
        over = abs(x - entity.surface[0]) < entity.size[0] / 2 and abs(y - entity.surface[1]) < entity.size[1] / 2
        if over and z > entity.surface[2]:
            return f"on the {other}"
    return None


def _reach(truth: Truth, name: str) -> str:
    space, (x, y, _) = truth.world.robot.workspace, truth.pose(name)[0]
    return OUT_OF_REACH if np.hypot(x, y) > REACH_SLACK * space.reach_max_m else ON_TABLE


def _pixels_of_bodies(truth: Truth, camera: str) -> dict[int, np.ndarray]:
    """By body, (P, 2) centres (u, v) of the pixels that show it."""
    geoms = truth.segmentation(camera)
    rows, columns = np.nonzero(geoms >= 0)
    bodies = truth.world.model.geom_bodyid[geoms[rows, columns]]
    order = np.argsort(bodies, kind="stable")
    centres = np.column_stack([columns, rows])[order] + 0.5
    values, starts = np.unique(bodies[order], return_index=True)
    return dict(zip(values.tolist(), np.split(centres, starts[1:]), strict=True))
