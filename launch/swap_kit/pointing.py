"""Does a model point where it should? The error in pixels of every thing that it names, and a look at wrong frames.

A family's coordinate convention changes between generations, and a wrong one looks right and grasps beside the thing.
So the numbers are also read as every other convention would mean them: when one of those fits far better, it is named.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median

from swap_kit.scenes import Shot

from tandem.agent.planner import prompting
from tandem.agent.planner.canvas import Canvas
from tandem.agent.planner.family import Frame
from tandem.agent.planner.model import Model
from tandem.agent.planner.scene import Scene, Thing
from tandem.agent.planner.sight import picture_of
from tandem.bridge.contract import PlannerFailed

FITS_BETTER = 0.5  # another frame is named when it leaves less than this share of the error
CLOSE_PX = 40.0  # and is right about where things are


@dataclass(frozen=True)
class Pointing:
    """What was measured.

    Attributes:
        errors: pixels between each named thing and the point for it, by how the numbers are read: "as declared", ...
        hits: how many of those points lie on the thing.
        shown: how many things there were to name.
        failed: reasons of questions that got no scene.
    """

    errors: dict[str, list[float]]
    hits: int
    shown: int
    failed: tuple[str, ...]

    @property
    def median_px(self) -> float:
        """Of the things that were named; infinite if none was."""
        return median(self.errors[DECLARED]) if self.errors[DECLARED] else math.inf

    @property
    def found(self) -> float:
        """The share of things that were named."""
        return len(self.errors[DECLARED]) / self.shown if self.shown else 0.0

    @property
    def better_frame(self) -> tuple[str, float] | None:
        """The reading that fits far better than the declared one, and its median error; None if none does."""
        rivals = {name: median(errors) for name, errors in self.errors.items() if errors and name != DECLARED}
        if not rivals:
            return None
        name = min(rivals, key=rivals.get)
        fits = rivals[name] < FITS_BETTER * self.median_px and rivals[name] < CLOSE_PX
        return (name, rivals[name]) if fits else None


DECLARED = "as declared"


def measure(model: Model, shots: Sequence[Shot]) -> Pointing:
    """Ask for the things in each picture."""
    errors: dict[str, list[float]] = {}
    hits, shown, failed = 0, 0, []
    for shot in shots:
        shown += len(shot.things)
        try:
            scene, canvas = _look(model, shot)
        except PlannerFailed as reason:
            failed.append(str(reason))
            continue
        for index, thing in enumerate(shot.things):
            named = _match(thing, scene, shot.things)
            if named is not None:
                for reading, error in _errors(named, thing, canvas):
                    errors.setdefault(reading, []).append(error)
                u, v = int(named.point.u), int(named.point.v)
                hits += int(shot.bodies[min(v, len(shot.bodies) - 1), u] == index)
    return Pointing({DECLARED: [], **errors}, hits, shown, tuple(failed))


def _look(model: Model, shot: Shot) -> tuple[Scene, Canvas]:
    [camera] = shot.request.cameras
    picture = picture_of(shot.request.observation, camera)
    height, width = picture.pixels.shape[:2]
    canvas = Canvas(model.family, camera, (width, height), model.resized(width, height))
    [answer] = model.answer([prompting.perceive(picture, canvas)])
    return Scene.read(answer.value, canvas), canvas


def _match(thing: Thing, scene: Scene, shown: Sequence[Thing]) -> Thing | None:
    """The thing by its name; else by its first word (a colour), where only one has it on both sides."""
    if (named := scene.named(thing.name, thing.point)) is not None:
        return named
    first = thing.name.split()[0]
    there = [each for each in shown if each.name.split()[0] == first]
    said = [each for each in scene.things if each.name.split()[0] == first]
    return said[0] if len(there) == len(said) == 1 else None


def _errors(named: Thing, thing: Thing, canvas: Canvas) -> Iterator[tuple[str, float]]:
    """The error as declared, and as every other convention would read the same numbers."""
    yield DECLARED, math.dist((named.point.u, named.point.v), (thing.point.u, thing.point.v))
    x, y = canvas.write(named.point)
    for frame in Frame:
        family = replace(canvas.family, frame=frame)
        for words, written in ((frame.value, (x, y)), (f"{frame.value}, y before x", (y, x))):
            if (frame, written) != (canvas.family.frame, (x, y)):
                read = family.read_point(*written, canvas.size, canvas.resized)
                yield words, math.dist(read, (thing.point.u, thing.point.v))
