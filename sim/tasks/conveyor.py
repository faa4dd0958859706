"""Pick parcels from a moving belt and put each into the bin of its label's colour."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from tandem.bridge.contract import InvalidOption, Subgoal
from tandem.sim import predicates
from tandem.sim.entities import add_bin
from tandem.sim.fixtures import Conveyor, add_conveyor, add_parcel, require_reach
from tandem.sim.furnish import OUT_OF_REACH, Furnisher
from tandem.sim.scene import Scene
from tandem.sim.tasks.steps import pick, place
from tandem.sim.tasks.task import Wish
from tandem.sim.truth import Truth
from tandem.sim.vocabulary import COLOURS

REACH_M = 0.65
BELT_X_M, STOP_Y_M, END_Y_M = 0.54, 0.28, 0.86
SLOW_M_S, FAST_M_S = 0.03, 0.08
FIRST_M, APART_M = (0.16, 0.24), (0.125, 0.15)  # from the stop to the first parcel, and from one to the next
BIN_XY_M, BIN_SIZE_M = tuple((0.365, y) for y in (-0.32, -0.16, 0.0, 0.16, 0.32)), (0.13, 0.13, 0.045)
TOO_LONG_M, WIDTH_M, HEIGHT_M = 0.004, (0.036, 0.042), (0.032, 0.038)
MOST = 4
FAULTS = ("no such parcel", "no such bin", "out of reach")


@dataclass(frozen=True)
class ConveyorChallenge:
    """Some or all of the parcels into their bins; see `Challenge`."""

    colours: tuple[str, ...]
    conveyor: Conveyor
    instruction: str
    infeasible: str | None

    def _missing(self, truth: Truth) -> list[str]:
        """Colours that are not delivered: those in reach first, and of them the one that is furthest along."""
        left = [c for c in self.colours if not predicates.inside(truth, f"{c} parcel", f"{c} bin")]
        space = truth.world.robot.workspace

        def order(colour: str) -> tuple[bool, float]:
            x, y, _ = truth.pose(f"{colour} parcel")[0]
            return not space.contains(x, y), -self.conveyor.along(y)

        return sorted(left, key=order)

    def success(self, truth: Truth) -> bool:
        """Every parcel that was asked for lies in the bin of its colour, let go."""
        return not self._missing(truth)

    def progress(self, truth: Truth) -> float:
        """The share of parcels delivered; one in the hand counts half."""
        left = self._missing(truth)
        lifted = any(predicates.lifted(truth, f"{colour} parcel") for colour in left)
        return (len(self.colours) - len(left) + 0.5 * lifted) / len(self.colours)

    def remaining(self, truth: Truth) -> tuple[Subgoal, ...]:
        """Deliver what is in the hand, then the other parcels as they come to the end of the belt."""
        left, held = self._missing(truth), truth.held()
        steps: list[Subgoal] = []
        for colour in sorted(left, key=lambda c: f"{c} parcel" != held):
            parcel = f"{colour} parcel"
            steps += [] if parcel == held else [pick(truth, parcel)]
            steps.append(place(truth, parcel, f"{colour} bin"))
        return tuple(steps)

    def update(self, truth: Truth) -> None:
        """Nothing to latch."""


@dataclass(frozen=True)
class ConveyorTask:
    """The task; see `Task`. Harder worlds have more parcels on a faster belt."""

    name: str = "conveyor"
    summary: str = "pick parcels from a moving belt and place them by the colour of their label"
    horizon_s: float = 180.0
    phrasings: tuple[str, ...] = (
        "pick the parcels from the belt and put each into the bin of its label's colour",
        "sort every parcel on the conveyor into the bin that matches its label",
        "clear the belt: all parcels go into the bins of their colours",
        "as the parcels come by, put each one in the bin of its colour",
        "take the {colour} parcel from the belt and put it in the {colour} bin",
        "pick only the {colour} parcel off the conveyor and drop it in its bin",
        "put the {colour} parcel into the bin of the same colour",
        "the {colour} parcel belongs in the {colour} bin; leave the others on the belt",
    )

    def sample(self, scene: Scene, rng: np.random.Generator, wish: Wish) -> ConveyorChallenge:
        """Two to four parcels of different colours, a bin for each, and perhaps one more."""
        require_reach(scene, self.name, REACH_M)
        asked = self.understand(wish.instruction) if wish.instruction else ()
        n = max(len(asked), 2 + round(2 * wish.difficulty))
        spare = [str(c) for c in rng.permutation([c for c in COLOURS if c not in asked])]
        colours = [*asked, *spare][:n]
        faults = FAULTS if asked or not wish.instruction else FAULTS[1:]  # "all parcels" misses none that is not there
        fault = None if wish.feasible else str(rng.choice(faults))
        templates = [p for p in self.phrasings if wish.feasible or "{colour}" in p]
        phrase = str(rng.choice(templates))
        if not wish.instruction and "{colour}" in phrase:
            asked = (colours[0],)
        wanted = tuple(asked or colours)
        culprit = wanted[0]
        conveyor = _furnish(Furnisher(scene, rng), colours, wanted, spare, wish.difficulty, fault, self.horizon_s)
        reason = {
            "no such parcel": f"there is no {culprit} parcel", "no such bin": f"there is no {culprit} bin",
            "out of reach": f"the {culprit} parcel is out of reach",
        }.get(fault)
        return ConveyorChallenge(
            wanted, conveyor, wish.instruction or phrase.format(colour=culprit), reason
        )

    def understand(self, instruction: str) -> tuple[str, ...]:
        """Colours of the parcels that words name, () for all of them; `InvalidOption` with an example if unclear."""
        words, colour = instruction.lower(), "|".join(COLOURS)
        lists = re.findall(rf"((?:\b(?:{colour})\b[ ,]*(?:and )?(?:the )?)+)(?:parcel|package)s?\b", words)
        named = tuple(dict.fromkeys(re.findall(colour, " ".join(lists))))
        bins = set(re.findall(rf"\b({colour}) bin\b", words))
        clear = re.search(r"\b(?:parcel|package)s?\b", words) and bins <= set(named) and len(named) <= MOST
        if not clear:
            raise InvalidOption(
                f"conveyor does not understand {instruction!r}: each parcel goes into the bin of its own colour, at "
                f"most {MOST} parcels. Say for example {self.phrasings[0]!r} or "
                f"{self.phrasings[4].format(colour='red')!r}; colours: {', '.join(COLOURS)}."
            )
        return named


def _furnish(
    furnisher: Furnisher, colours: list[str], wanted: tuple[str, ...], spare: list[str], difficulty: float,
    fault: str | None, duration_s: float,
) -> Conveyor:
    """Belt, parcels and bins in random order; a fault takes the first that is wanted, or its bin."""
    scene, rng, culprit = furnisher.scene, furnisher.rng, wanted[0]
    side = float(rng.choice([-1, 1]))
    speed = SLOW_M_S + (FAST_M_S - SLOW_M_S) * difficulty * float(rng.uniform(0.7, 1.0))
    conveyor = Conveyor(BELT_X_M, side * STOP_Y_M, -side * END_Y_M, speed)
    scene.add(add_conveyor(scene.spec, conveyor, duration_s=duration_s))
    on_belt = [c for c in colours if c != culprit or fault not in ("no such parcel", "out of reach")]
    along = float(rng.uniform(*FIRST_M))
    shuffled = [str(colour) for colour in rng.permutation(on_belt)]
    for colour in sorted(shuffled, key=lambda colour: colour not in wanted):  # what is wanted comes first, in reach
        _add_parcel(furnisher, colour, np.array([BELT_X_M, conveyor.stop_y_m - conveyor.heading * along]))
        along += float(rng.uniform(*APART_M))
    if fault == "out of reach":
        reach, angle = OUT_OF_REACH * scene.robot.workspace.reach_max_m, float(rng.uniform(-0.3, 0.3))
        _add_parcel(furnisher, culprit, reach * np.array([np.cos(angle), np.sin(angle)]), on_belt=False)
    others = [c for c in spare if c not in colours]
    bins = [c for c in colours if c != culprit or fault != "no such bin"] + others[: round(difficulty)]
    for place_index, colour in zip(rng.permutation(len(BIN_XY_M)), bins, strict=False):
        name, xy = f"{colour} bin", BIN_XY_M[place_index]
        scene.add(add_bin(scene.spec, name, size=BIN_SIZE_M, rgb=COLOURS[colour], xy=xy, colour=colour))
    return conveyor


def _add_parcel(furnisher: Furnisher, colour: str, xy: np.ndarray, *, on_belt: bool = True) -> None:
    """A parcel that the gripper can only take across the belt: lengthwise it is too long, so a queue is no obstacle."""
    scene, rng = furnisher.scene, furnisher.rng
    size = (
        scene.robot.gripper.max_width_m + TOO_LONG_M, float(rng.uniform(*WIDTH_M)), float(rng.uniform(*HEIGHT_M)),
    )
    yaw = np.pi / 2 + float(rng.uniform(-0.06, 0.06))
    shift = np.array([rng.uniform(-0.003, 0.003), 0.0])
    scene.add(add_parcel(
        scene.spec, f"{colour} parcel", size=size, rgb=COLOURS[colour], xy=xy + shift, yaw_rad=yaw, colour=colour,
        on_belt=on_belt,
    ))
