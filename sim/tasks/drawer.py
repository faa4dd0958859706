"""Open the drawer, put the red cube in it and close it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tandem.bridge.contract import InvalidOption, Subgoal
from tandem.sim import predicates
from tandem.sim.fixtures import add_cabinet, require_reach
from tandem.sim.furnish import Furnisher, draw_names
from tandem.sim.scene import Scene
from tandem.sim.tasks.steps import close_drawer, open_drawer, pick, place
from tandem.sim.tasks.task import Wish
from tandem.sim.tasks.words import found, named
from tandem.sim.truth import Truth
from tandem.sim.vocabulary import COLOURS, SHAPES

REACH_M = 0.65
FRONT_M = 0.555  # from the robot's axis to the closed fronts
SIDE_M = (0.030, 0.040)  # of what goes into a drawer
PLAIN_RGB = (0.55, 0.38, 0.24)
SWEPT_M = (0.36, 0.72)  # what a handle and the cabinet take of the radius
HAND_M = 0.09  # a hand that grasps beside the cabinet must not touch it
FAULTS = ("no such object", "no such drawer", "out of reach")


@dataclass(frozen=True)
class DrawerChallenge:
    """One object into one drawer, and the drawer shut; see `Challenge`."""

    thing: str
    drawer: str
    instruction: str
    infeasible: str | None

    def _stored(self, truth: Truth) -> bool:
        return predicates.inside(truth, self.thing, self.drawer)

    def _opened(self, truth: Truth) -> bool:
        return predicates.opened_fraction(truth, self.drawer) > predicates.OPEN_FRACTION

    def _shut(self, truth: Truth) -> bool:
        return predicates.opened_fraction(truth, self.drawer) < predicates.SHUT_FRACTION

    def success(self, truth: Truth) -> bool:
        """The object lies in the drawer, and the drawer is shut."""
        return self._shut(truth) and self._stored(truth)

    def progress(self, truth: Truth) -> float:
        """A quarter each for opening, lifting, putting in and closing."""
        if self._stored(truth):
            return 1.0 if self._shut(truth) else 0.75
        return 0.25 * self._opened(truth) + 0.25 * predicates.lifted(truth, self.thing)

    def remaining(self, truth: Truth) -> tuple[Subgoal, ...]:
        """Open, pick, place, close, less what is done. A full hand cannot open: it puts the thing aside first."""
        if self._stored(truth):
            return () if self._shut(truth) else (close_drawer(truth, self.drawer),)
        end = (place(truth, self.thing, self.drawer), close_drawer(truth, self.drawer))
        held = truth.held() == self.thing
        if self._opened(truth):
            return end if held else (pick(truth, self.thing), *end)
        aside = (place(truth, self.thing, "cabinet"),) if held else ()
        return (*aside, open_drawer(truth, self.drawer), pick(truth, self.thing), *end)

    def update(self, truth: Truth) -> None:
        """Nothing to latch."""


@dataclass(frozen=True)
class Drawer:
    """The task; see `Task`. Harder worlds have a second drawer and more objects."""

    name: str = "drawer"
    summary: str = "open a drawer, put something in, close it"
    horizon_s: float = 150.0
    phrasings: tuple[str, ...] = (
        "open the {drawer}, put the {thing} in it and close it",
        "put the {thing} into the {drawer} and shut it",
        "store the {thing} in the {drawer}",
        "tidy the {thing} away in the {drawer}, and close the drawer",
        "the {thing} belongs in the {drawer}; leave it closed",
        "pull the {drawer} open, place the {thing} inside, then push it shut",
    )

    def sample(self, scene: Scene, rng: np.random.Generator, wish: Wish) -> DrawerChallenge:
        """One drawer, or two of different colours; one to four objects."""
        require_reach(scene, self.name, REACH_M)
        asked = self.understand(wish.instruction) if wish.instruction else None
        fault = None if wish.feasible else str(rng.choice(FAULTS))
        thing, drawer = asked or (draw_names(rng, 1)[0], _draw_drawer(rng, wish.difficulty, fault))
        furnisher = Furnisher(scene, rng)
        _add_drawers(furnisher, _drawers(rng, drawer, fault))
        _add_blocks(furnisher, thing, wish.difficulty, fault)
        reason = {
            "no such object": f"there is no {thing}", "no such drawer": f"there is no {drawer}",
            "out of reach": f"the {thing} is out of reach",
        }.get(fault)
        phrase = wish.instruction or str(rng.choice(self.phrasings)).format(thing=thing, drawer=drawer)
        return DrawerChallenge(thing, drawer, phrase, reason)

    def understand(self, instruction: str) -> tuple[str, str]:
        """The object and the drawer that words stand for, or `InvalidOption` with an example."""
        words, colours = instruction.lower(), "|".join(COLOURS)
        things = named(words, rf"\b(?:{colours}) (?:{'|'.join(SHAPES)})\b")
        drawers = named(words, rf"\b(?:{colours}) drawer\b") or named(words, r"\bdrawer\b")
        if not len(things) == len(drawers) == 1:
            raise InvalidOption(
                f"drawer does not understand {instruction!r}: it puts one object into one drawer, and found "
                f"{found(things, drawers)}. Say for example "
                f"{self.phrasings[0].format(drawer='drawer', thing='red cube')!r}, or 'the blue drawer' where there "
                f"are two; colours: {', '.join(COLOURS)}; shapes: {', '.join(SHAPES)}."
            )
        return things[0], drawers[0]


def _draw_drawer(rng: np.random.Generator, difficulty: float, fault: str | None) -> str:
    """"drawer" where there is one, "blue drawer" where there are two or the one that is asked for is missing."""
    several = fault == "no such drawer" or rng.uniform() < difficulty
    return f"{rng.choice(list(COLOURS))} drawer" if several else "drawer"


def _drawers(rng: np.random.Generator, drawer: str, fault: str | None) -> list[str]:
    """Names of the drawers that the cabinet has."""
    if drawer == "drawer":
        return [] if fault == "no such drawer" else [drawer]
    others = rng.choice([f"{colour} drawer" for colour in COLOURS if f"{colour} drawer" != drawer], 2, replace=False)
    present = others if fault == "no such drawer" else [drawer, others[0]]
    return [str(name) for name in rng.permutation(present)]


def _add_drawers(furnisher: Furnisher, names: list[str]) -> None:
    """A cabinet that opens towards the robot. The space that it sweeps is kept free."""
    if not names:
        return
    scene, rng = furnisher.scene, furnisher.rng
    yaw = float(rng.uniform(-0.55, 0.55) if len(names) == 1 else rng.choice([-1, 1]) * rng.uniform(0.25, 0.5))
    ahead = np.array([np.cos(yaw), np.sin(yaw)])
    colours = [COLOURS.get(name.split()[0], PLAIN_RGB) for name in names]
    cabinet = add_cabinet(scene.spec, names, colours, xy=FRONT_M * ahead, yaw_rad=yaw)
    for entity in (cabinet.top, *cabinet.drawers, *cabinet.handles):
        scene.add(entity)
    for radius in np.arange(*SWEPT_M, 0.04):
        furnisher.layout.reserve(radius * ahead, 0.08 * len(names) + HAND_M)


def _add_blocks(furnisher: Furnisher, thing: str, difficulty: float, fault: str | None) -> None:
    rng, n = furnisher.rng, 1 + round(3 * difficulty)
    present = [] if fault in ("no such object", "out of reach") else [thing]
    if present:
        furnisher.block(thing, size=_size(rng, thing))
    furnisher.distractor_blocks(draw_names(rng, n - len(present), exclude=[thing]))
    if fault == "out of reach":
        furnisher.distant_block(thing)


def _size(rng: np.random.Generator, thing: str) -> tuple[float, float, float]:
    """Extents that pass under the cabinet's top, m."""
    side = float(rng.uniform(*SIDE_M))
    return {"cube": (side, side, side), "cylinder": (side, side, 1.15 * side), "brick": (1.7 * side, side, 0.9 * side)}[
        thing.split()[1]
    ]
