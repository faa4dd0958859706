"""Put the red cube in the blue bin: one object, one bin, others to be left alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tandem.bridge.contract import InvalidOption, Subgoal
from tandem.sim import predicates
from tandem.sim.furnish import Furnisher, draw_names
from tandem.sim.scene import Scene
from tandem.sim.tasks.steps import pick, place
from tandem.sim.tasks.task import Wish
from tandem.sim.tasks.words import found, named
from tandem.sim.truth import Truth
from tandem.sim.vocabulary import COLOURS, SHAPES


@dataclass(frozen=True)
class PickPlaceChallenge:
    """One object into one bin; see `Challenge`."""

    thing: str
    bin: str
    instruction: str
    infeasible: str | None

    def success(self, truth: Truth) -> bool:
        """The object lies in the bin, let go."""
        return predicates.inside(truth, self.thing, self.bin)

    def progress(self, truth: Truth) -> float:
        """Half for lifting it, all for delivering it."""
        return 1.0 if self.success(truth) else 0.5 * predicates.lifted(truth, self.thing)

    def remaining(self, truth: Truth) -> tuple[Subgoal, ...]:
        """Pick and place; only place if it is in the hand already."""
        if self.success(truth):
            return ()
        delivery = place(truth, self.thing, self.bin)
        return (delivery,) if truth.held() == self.thing else (pick(truth, self.thing), delivery)

    def update(self, truth: Truth) -> None:
        """Nothing to latch."""


@dataclass(frozen=True)
class PickPlace:
    """The task; see `Task`. Harder worlds hold more objects and more bins."""

    name: str = "pick_place"
    summary: str = "put one object into a bin"
    horizon_s: float = 90.0
    phrasings: tuple[str, ...] = (
        "put the {thing} in the {bin}",
        "place the {thing} into the {bin}",
        "move the {thing} to the {bin}",
        "pick up the {thing} and drop it in the {bin}",
        "the {thing} belongs in the {bin}",
        "take the {thing} and put it in the {bin}, please",
    )

    def sample(self, scene: Scene, rng: np.random.Generator, wish: Wish) -> PickPlaceChallenge:
        """One to five objects, one to three bins; the instruction names one of each."""
        asked = self.understand(wish.instruction) if wish.instruction else None
        thing, target = asked or (draw_names(rng, 1)[0], f"{rng.choice(list(COLOURS))} bin")
        fault = None if wish.feasible else str(rng.choice(["no such object", "no such bin", "out of reach"]))
        furnisher = Furnisher(scene, rng)
        if fault != "no such bin":
            furnisher.bin(target)
        if fault in (None, "no such bin"):
            furnisher.block(thing)
        _add_others(furnisher, thing, target, wish.difficulty)
        if fault == "out of reach":
            furnisher.distant_block(thing)
        reason = {
            "no such object": f"there is no {thing}", "no such bin": f"there is no {target}",
            "out of reach": f"the {thing} is out of reach",
        }.get(fault)
        phrase = wish.instruction or str(rng.choice(self.phrasings)).format(thing=thing, bin=target)
        return PickPlaceChallenge(thing, target, phrase, reason)

    def understand(self, instruction: str) -> tuple[str, str]:
        """The object and the bin that words stand for, or `InvalidOption` with an example."""
        words = instruction.lower()
        things = named(words, rf"\b(?:{'|'.join(COLOURS)}) (?:{'|'.join(SHAPES)})\b")
        bins = named(words, rf"\b(?:{'|'.join(COLOURS)}) bin\b")
        if not len(things) == len(bins) == 1:
            raise InvalidOption(
                f"pick_place does not understand {instruction!r}: it puts one object into one bin, and found "
                f"{found(things, bins)}. Say for example "
                f"{self.phrasings[0].format(thing='red cube', bin='blue bin')!r}; "
                f"colours: {', '.join(COLOURS)}; shapes: {', '.join(SHAPES)}."
            )
        return things[0], bins[0]


def _add_others(furnisher: Furnisher, thing: str, target: str, difficulty: float) -> None:
    """What the instruction does not name, as far as there is room; a bin and a block more when those are missing."""
    colours = [colour for colour in COLOURS if f"{colour} bin" != target]
    n_bins = round(2 * difficulty) + (target not in furnisher.scene.entities)
    furnisher.distractor_bins(f"{colour} bin" for colour in furnisher.rng.choice(colours, size=n_bins, replace=False))
    n_blocks = round(4 * difficulty) + (thing not in furnisher.scene.entities)
    furnisher.distractor_blocks(draw_names(furnisher.rng, n_blocks, exclude=[thing]))
