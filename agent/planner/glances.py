"""Several glances at one picture, each moved a little, and what most of them agree on.

A vision-language model cuts a picture into squares and makes one token of each. Of things that share a square it
confuses the points most easily, and which things share one depends on where the grid lies. Moved by half a square,
other neighbours do: what is true stays, mistakes differ. So the picture is varied at test time, and the answers vote
(self-consistency, Wang et al. 2022).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations

import numpy as np

from tandem.agent.planner.model import Picture
from tandem.agent.planner.scene import Scene, Thing, apart
from tandem.bridge.contract import CameraPoint

SAME = 0.3  # of a square: points of one name that near are the same thing


def crowded(scene: Scene, square: float) -> bool:
    """Whether two things lie within one square of that many pixels, wherever its corner is."""
    points = [thing.point for thing in scene.things]
    return any(max(abs(a.u - b.u), abs(a.v - b.v)) < square for a, b in combinations(points, 2))


def shifts(square: float) -> list[tuple[int, int]]:
    """Whole pixels to the right and down, of each further glance: half a square one way, the other, and both."""
    half = round(square / 2)
    return [(half, 0), (0, half), (half, half)]


def moved(picture: Picture, across: int, down: int) -> Picture:
    """The picture moved by whole pixels to the right and down; its edge is repeated."""
    height, width = picture.pixels.shape[:2]
    rows = np.clip(np.arange(height) - down, 0, height - 1)
    columns = np.clip(np.arange(width) - across, 0, width - 1)
    return Picture(picture.name, picture.pixels[rows[:, None], columns])


def moved_back(scene: Scene, across: int, down: int, size: tuple[int, int]) -> Scene:
    """What was seen in a picture of this width and height that had been moved, where it is in truth."""
    def back(point: CameraPoint) -> CameraPoint:
        u, v = (min(max(at - by, 0.0), side - 1.0)
                for at, by, side in zip((point.u, point.v), (across, down), size, strict=True))
        return CameraPoint(point.camera, u, v)

    return Scene(tuple(Thing(thing.name, back(thing.point), thing.where) for thing in scene.things))


def agreed(scenes: Sequence[Scene], square: float) -> Scene:
    """What the first glance saw, where most glances agree that it is.

    A thing stands at the mean of the points that most glances tell for its name, where the first tells it when no two
    agree. What only the first tells, right where most tell another thing, is a mistake and left out; what it misses and
    two others tell at one place, where nothing else is, is there.

    Args:
        scenes: of every glance; the first at the picture as it was, which shows best what things are.
        square: side of a square, pixels.
    """
    near, first = SAME * square, scenes[0]
    found = [_group(thing, scenes, near) for thing in first.things]
    sure = [_mean(group) for group in found if 2 * len(group) > len(scenes)]
    things = [_mean(group) for group in found if not (_alone(group, scenes) and _beside(_mean(group), sure, near))]
    missed = {thing.name: thing for scene in scenes[1:] for thing in scene.things if thing.name not in first.names}
    for group in (_group(thing, scenes, near) for thing in missed.values()):
        if len(group) > 1 and not _beside(_mean(group), things, near):
            things.append(_mean(group))
    return Scene(tuple(things))


def _group(thing: Thing, scenes: Sequence[Scene], near: float) -> list[Thing]:
    """What glances tell of a thing, as far as it agrees; of several that share its name only what is near to it."""
    told = [[other for other in scene.things if other.name == thing.name] for scene in scenes]
    middles = [thing] if len(told[0]) > 1 else [other for glance in told for other in glance]
    groups = []
    for middle in middles:
        closest = (min(glance, key=lambda other: apart(other.point, middle.point)) for glance in told if glance)
        groups.append([other for other in closest if apart(other.point, middle.point) < near])
    return max(groups, key=len)


def _alone(group: Sequence[Thing], scenes: Sequence[Scene]) -> bool:
    """Whether only one glance tells that name at all."""
    return sum(group[0].name in scene.names for scene in scenes) == 1


def _beside(thing: Thing, others: Sequence[Thing], near: float) -> bool:
    return any(other is not thing and apart(thing.point, other.point) < near for other in others)


def _mean(group: Sequence[Thing]) -> Thing:
    """One thing: at the mean of their points, whereabouts as most say."""
    [(where, _)] = Counter(thing.where for thing in group).most_common(1)
    u, v = (float(np.mean([getattr(thing.point, axis) for thing in group])) for axis in "uv")
    return Thing(group[0].name, CameraPoint(group[0].point.camera, u, v), where)
