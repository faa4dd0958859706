"""Sort the blocks by colour, or every cube in the red bin and every cylinder in the blue bin: rules, not names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tandem.bridge.contract import InvalidOption, Subgoal
from tandem.sim import predicates
from tandem.sim.entities import Entity
from tandem.sim.furnish import Furnisher
from tandem.sim.layout import EDGE_M
from tandem.sim.scene import Scene
from tandem.sim.tasks.steps import pick, place
from tandem.sim.tasks.task import Wish
from tandem.sim.truth import Truth
from tandem.sim.vocabulary import COLOURS, SHAPES, listed

BIN_M = (0.16, 0.20, 0.06)  # room for four blocks, and for two that land on one another
SMALL_BIN_M = (0.13, 0.16, 0.06)  # before scaling: for a small robot, which sorts fewer
SMALL = 0.6  # a robot of less than this share of the reference reach gets two bins
MOST_PER_BIN = 3
_KIND = re.compile(rf"\b(?:({'|'.join(COLOURS)})\s+)?({'|'.join(SHAPES)}|block|object|thing|piece|one)s?\b")
_EXCEPTION = re.compile(r"\b(?:except|but|not|others?|rest|remaining)\b|n't\b")
_BIN = re.compile(rf"\b({'|'.join(COLOURS)})\s+bin\b")


@dataclass(frozen=True)
class Rule:
    """Every block of a colour, a shape or both goes into one bin."""

    colour: str | None
    shape: str | None
    bin: str

    def covers(self, name: str) -> bool:
        """Whether the block of that name ("red cube") falls under it."""
        colour, shape = name.split()
        return self.colour in (None, colour) and self.shape in (None, shape)

    @property
    def kind(self) -> str:
        """'red block', 'cube', 'red cube'."""
        return " ".join(word for word in (self.colour, self.shape or "block") if word)


@dataclass(frozen=True)
class SortChallenge:
    """Several objects, each into its bin; see `Challenge`."""

    goal: tuple[tuple[str, str], ...]  # (thing, bin)
    instruction: str
    infeasible: str | None

    def success(self, truth: Truth) -> bool:
        """Every object lies in its bin, let go."""
        return all(predicates.inside(truth, thing, box) for thing, box in self.goal)

    def progress(self, truth: Truth) -> float:
        """The share of objects delivered; half for the one that is lifted."""
        done = [
            1.0 if predicates.inside(truth, thing, box) else 0.5 * predicates.lifted(truth, thing)
            for thing, box in self.goal
        ]
        return float(np.mean(done))

    def remaining(self, truth: Truth) -> tuple[Subgoal, ...]:
        """What is in the hand first, then the nearest to the robot."""
        held = truth.held()
        left = [(thing, box) for thing, box in self.goal if not predicates.inside(truth, thing, box)]
        left.sort(key=lambda pair: (pair[0] != held, float(np.linalg.norm(truth.pose(pair[0])[0][:2]))))
        steps: list[Subgoal] = []
        for thing, box in left:
            steps += [place(truth, thing, box)] if thing == held else [pick(truth, thing), place(truth, thing, box)]
        return tuple(steps)

    def update(self, truth: Truth) -> None:
        """Nothing to latch."""


@dataclass(frozen=True)
class Sort:
    """The task; see `Task`. Harder worlds hold more objects, a third bin, and objects that no rule covers."""

    name: str = "sort"
    summary: str = "sort objects into bins by colour or by shape"
    horizon_s: float = 420.0
    phrasings: tuple[str, ...] = (
        "sort the blocks by colour",
        "put each block into the bin of its own colour",
        "every block belongs in the bin that has its colour; sort them",
        "put {every}",
        "sort the blocks: {plural}",
        "{reverse}",
        "please move {every}",
    )

    def sample(self, scene: Scene, rng: np.random.Generator, wish: Wish) -> SortChallenge:
        """Two to six objects, two or three bins, up to two objects that stay where they are."""
        phrase = wish.instruction or str(rng.choice(self.phrasings))
        rules = self.understand(phrase) if wish.instruction else ()
        by_words = bool(rules) or "{" in phrase
        rules = rules or _draw_rules(rng, _bins(scene, wish.difficulty), by_shape=by_words and rng.random() < 0.6)
        faults = ["no such bin", "out of reach", "no such object"]
        fault = None if wish.feasible else str(rng.choice(faults[: 3 if by_words else 2]))
        furnisher = Furnisher(scene, rng)
        things, others = _draw_things(rng, rules, wish.difficulty, with_others=by_words)
        goal, reason = _furnish(furnisher, rules, things, others, fault)
        return SortChallenge(goal, wish.instruction or _phrased(phrase, rules), reason)

    def understand(self, instruction: str) -> tuple[Rule, ...]:
        """The rules that words stand for; none when they say "by colour", whichever colours there are.

        Raises:
            InvalidOption: they are not understood, or two rules send one thing to two bins.
        """
        words = instruction.lower()
        exception = _EXCEPTION.search(words)
        if exception:
            raise InvalidOption(
                f"sort knows no exceptions, and {instruction!r} says {exception.group()!r}: name every kind of block "
                "with its bin, and leave out what is to stay"
            )
        rules = _parse_rules(words)
        for colour, shape in ((c, s) for c in COLOURS for s in SHAPES):
            bins = {rule.bin for rule in rules if rule.covers(f"{colour} {shape}")}
            if len(bins) > 1:
                raise InvalidOption(f"{instruction!r} sends a {colour} {shape} to two bins: {listed(sorted(bins))}")
        by_colour = re.search(r"\bcolou?rs?\b", words) and not re.search("|".join(SHAPES), words)
        if not rules and by_colour:
            named = dict.fromkeys(re.findall(rf"\b(?:{'|'.join(COLOURS)})\b", words))
            return tuple(Rule(colour, None, f"{colour} bin") for colour in named)
        if not rules:
            raise InvalidOption(
                f"sort does not understand {instruction!r}. Say for example {self.phrasings[0]!r} or 'put every cube "
                f"in the red bin and every cylinder in the blue bin'; colours: {', '.join(COLOURS)}; "
                f"shapes: {', '.join(SHAPES)}."
            )
        return rules


def _parse_rules(words: str) -> tuple[Rule, ...]:
    """'red blocks in the red bin, ...' or 'the red bin is for cubes, ...'."""
    bins = [f"{colour} bin" for colour in _BIN.findall(words)]
    stretches = [
        [(colour or None, shape if shape in SHAPES else None) for colour, shape in _KIND.findall(stretch)]
        for stretch in re.split(_BIN.pattern.replace("(", "(?:", 1), words)
    ]
    stretches = [[kind for kind in stretch if any(kind)] for stretch in stretches]
    named = stretches[1:] if not stretches[0] else stretches[:-1]
    return tuple(
        Rule(colour, shape, box) for box, kinds in zip(bins, named, strict=True) for colour, shape in kinds
    )


def _phrased(phrase: str, rules: Sequence[Rule]) -> str:
    return phrase.format(
        every=listed([f"every {rule.kind} in the {rule.bin}" for rule in rules]),
        plural=listed([f"{rule.kind}s in the {rule.bin}" for rule in rules]),
        reverse=listed([f"the {rule.bin} is for {rule.kind}s" for rule in rules]),
    ) if "{" in phrase else phrase


def _bins(scene: Scene, difficulty: float) -> int:
    return 3 if difficulty > 0.7 and scene.scale > SMALL else 2


def _draw_rules(rng: np.random.Generator, n: int, *, by_shape: bool) -> tuple[Rule, ...]:
    colours = [str(colour) for colour in rng.choice(list(COLOURS), n, replace=False)]
    if not by_shape:
        return tuple(Rule(colour, None, f"{colour} bin") for colour in colours)
    shapes = [str(shape) for shape in rng.choice(SHAPES, n, replace=False)]
    return tuple(Rule(None, shape, f"{colour} bin") for shape, colour in zip(shapes, colours, strict=True))


def _draw_things(
    rng: np.random.Generator, rules: Sequence[Rule], difficulty: float, *, with_others: bool
) -> tuple[list[str], list[str]]:
    """Names that the rules cover, one for each rule first, and names that none covers."""
    every = [str(name) for name in rng.permutation([f"{colour} {shape}" for colour in COLOURS for shape in SHAPES])]
    things: list[str] = []
    for rule in rules:
        things += [next(name for name in every if rule.covers(name) and name not in things)]
    n = max(len(rules), 2 + round(4 * difficulty))
    for name in every:
        boxes = [rule.bin for rule in rules if rule.covers(name)]
        there = [thing for thing in things if boxes and _box(rules, thing) == boxes[0]]
        if boxes and name not in things and len(things) < n and len(there) < MOST_PER_BIN:
            things.append(name)
    others = [name for name in every if not any(rule.covers(name) for rule in rules)]
    return things, others[: round(2 * difficulty)] if with_others else []


def _box(rules: Sequence[Rule], thing: str) -> str:
    return next(rule.bin for rule in rules if rule.covers(thing))


def _furnish(
    furnisher: Furnisher, rules: Sequence[Rule], things: list[str], others: list[str], fault: str | None
) -> tuple[tuple[tuple[str, str], ...], str | None]:
    """Put it all on the table; the goal, and why it cannot be reached if there is a fault."""
    odd = things[0]
    bins = list(dict.fromkeys(rule.bin for rule in rules))
    goal_of = {thing: _box(rules, thing) for thing in things}
    reason = None
    if fault == "no such bin":
        bins.remove(goal_of[odd])
        reason = f"there is no {goal_of[odd]} for the {odd}"
    if fault == "no such object":
        things = [thing for thing in things if not rules[0].covers(thing)]
        reason = f"there is no {rules[0].kind}"
    near = [thing for thing in things if not (fault == "out of reach" and thing == odd)]
    added = _arrange(furnisher, bins, near, others, needed=len(bins) + min(len(near), len(rules)))
    if fault == "out of reach":
        furnisher.distant_block(odd)
        added.append(odd)
        reason = f"the {odd} is out of reach"
    return tuple((thing, goal_of[thing]) for thing in things if thing in added), reason


def _arrange(furnisher: Furnisher, bins: list[str], things: list[str], others: list[str], *, needed: int) -> list[str]:
    """Bins and blocks where there is room; the names of the blocks that found a place."""
    names = [*things, *others]
    sizes = [furnisher.block_size(name.split()[1]) for name in names]
    size = BIN_M if furnisher.scene.scale > SMALL else SMALL_BIN_M
    discs = [(float(np.hypot(*furnisher.bin_extents(size)[:2])) / 2, EDGE_M)] * len(bins)
    discs += [(float(np.hypot(*extents[:2])) / 2, furnisher.finger_gap_m) for extents in sizes]
    places = furnisher.layout.draw_many(discs, needed=needed)
    for name, xy in zip(bins, places, strict=False):
        furnisher.bin(name, size=size, xy=xy)
    blocks: list[Entity] = [
        furnisher.block(name, size=extents, xy=xy)
        for name, extents, xy in zip(names, sizes, places[len(bins):], strict=False)
    ]
    return [block.name for block in blocks]
