"""What is there, as a model saw it: names, points and whereabouts. The steps of a plan may name nothing else."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tandem.agent.planner.canvas import Canvas
from tandem.bridge.contract import CameraPoint, PlannerFailed

NOTHING = "- nothing"
IN_HAND, PUT = "in the gripper", "on the table"
ONCE = 0.03  # share of the picture's width: what has one name and lies nearer is one thing, told twice


@dataclass(frozen=True)
class Thing:
    """One thing in a picture.

    Attributes:
        name: words for it, "red cube"; two things may share a name.
        point: a pixel on it.
        where: its whereabouts in a few words, "in the blue bin".
    """

    name: str
    point: CameraPoint
    where: str


@dataclass(frozen=True)
class Scene:
    """The things in one picture, from left to right."""

    things: tuple[Thing, ...] = ()

    def __post_init__(self):
        ordered = sorted(self.things, key=lambda thing: (thing.point.u, thing.point.v, thing.name))
        object.__setattr__(self, "things", tuple(ordered))

    @property
    def names(self) -> tuple[str, ...]:
        """Every name once, from left to right."""
        return tuple(dict.fromkeys(thing.name for thing in self.things))

    def lines(self, canvas: Canvas) -> str:
        """As a prompt shows it: '- red cube at [512, 430], on the table', one line for each thing."""
        lines = []
        for thing in self.things:
            x, y = canvas.write(thing.point)
            lines.append(f"- {thing.name} at [{x}, {y}], {thing.where}")
        return "\n".join(lines) or NOTHING

    def value(self, canvas: Canvas) -> dict[str, Any]:
        """As a model answers "perceive"; inverse of `read`."""
        return {"things": [{**constant(thing, canvas), "where": thing.where} for thing in self.things]}

    def named(self, name: str, near: CameraPoint | None = None) -> Thing | None:
        """The thing of that name, the nearest to a point if there are several; None if there is none."""
        same = [thing for thing in self.things if thing.name == name]
        if near is None:
            return same[0] if same else None
        return min(same, key=lambda t: apart(t.point, near), default=None)

    def holding(self, name: str | None, point: CameraPoint | None = None) -> Scene:
        """The scene with this in the gripper and nothing else, whatever a model took to be there.

        Args:
            name: of what is held; None when the hand is empty.
            point: where it was taken from, for a thing that the model did not list.
        """
        things = [thing for thing in self.things if name is None or thing.name == name or thing.where != IN_HAND]
        things = [replace(thing, where=PUT) if thing.where == IN_HAND else thing for thing in things]
        if name is None:
            return Scene(tuple(things))
        known = next((t for t in self.things if t.name == name and t.where == IN_HAND), self.named(name, point))
        if known is None and point is None:
            return self
        rest = [thing for thing in things if known is None or thing.name != name or thing.point != known.point]
        return Scene((*rest, Thing(name, known.point if known else point, IN_HAND)))

    def in_steps(self, step: int, canvas: Canvas) -> Scene:
        """The scene with points as a model tells them that was taught coordinates in whole multiples of a step.

        With a step of 1 points stay between the numbers, as they were seen.
        """
        if step == 1:
            return self

        def moved(point: CameraPoint) -> CameraPoint:
            written = zip(canvas.write(point), canvas.largest, strict=True)
            return canvas.read([step * min(round(at / step), most // step) for at, most in written])

        return Scene(tuple(replace(thing, point=moved(thing.point)) for thing in self.things))

    def at(self, name: str, written: list[int], canvas: Canvas) -> Thing | None:
        """The thing whose constant in the grammar is this name and point."""
        return next((t for t in self.things if t.name == name and canvas.write(t.point) == written), None)

    @classmethod
    def read(cls, answer: Mapping[str, Any], canvas: Canvas) -> Scene:
        """From an answer to "perceive"; raises `PlannerFailed` if it is none. What is told twice is one thing."""
        try:
            found = [(item["name"].strip(), canvas.read(item["point"]), item["where"].strip())
                     for item in answer["things"]]
        except (KeyError, TypeError, AttributeError) as reason:
            raise PlannerFailed(f"the answer lists no things: {reason!r} in {str(answer)[:200]}") from reason
        if not all(name for name, _, _ in found):
            raise PlannerFailed(f"the answer lists a thing without a name: {str(answer)[:200]}")
        near, things = ONCE * canvas.size[0], list[Thing]()
        for name, point, where in found:
            if not any(thing.name == name and apart(thing.point, point) < near for thing in things):
                things.append(Thing(name, point, where))
        return cls(tuple(things))


def apart(one: CameraPoint, other: CameraPoint) -> float:
    """Pixels."""
    return math.hypot(one.u - other.u, one.v - other.v)


def constant(thing: Thing, canvas: Canvas) -> dict[str, Any]:
    """A thing as a step of a plan names it: name and point together."""
    return {"name": thing.name, "point": canvas.write(thing.point)}
