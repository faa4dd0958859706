"""Load a part into a machine's fixture and press its start button."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tandem.bridge.contract import InvalidOption, Subgoal
from tandem.sim import predicates
from tandem.sim.fixtures import add_console, add_fixture
from tandem.sim.fixtures.machine import CONSOLE_M, FIT_M, FLANGE_M, POCKET_WALL_M
from tandem.sim.furnish import Furnisher, draw_names
from tandem.sim.predicates import PRESSED
from tandem.sim.scene import Scene
from tandem.sim.tasks.steps import pick, place, press
from tandem.sim.tasks.task import Wish
from tandem.sim.tasks.words import found, named
from tandem.sim.truth import Truth
from tandem.sim.vocabulary import COLOURS, SHAPES

FIXTURE, BUTTON = "fixture", "start button"
CONSOLE_HEIGHT_M = 0.04  # at the reference scale
IN_VAIN, STARTED = 1, 2  # what the latch holds: pressed while empty, pressed while loaded
FAULTS = ("no such part", "no button", "out of reach")


@dataclass(frozen=True)
class MachineChallenge:
    """One part into the fixture, then the button; see `Challenge`."""

    part: str
    instruction: str
    infeasible: str | None

    def _loaded(self, truth: Truth) -> bool:
        return predicates.seated(truth, self.part, FIXTURE)

    def success(self, truth: Truth) -> bool:
        """The button was pressed while the part lay in the fixture, and it still does."""
        return truth.world.data.userdata[PRESSED] == STARTED and self._loaded(truth)

    def progress(self, truth: Truth) -> float:
        """0.3 for lifting the part, 0.7 for loading it, all for starting."""
        if self._loaded(truth):
            return 1.0 if self.success(truth) else 0.7
        return 0.3 * predicates.lifted(truth, self.part)

    def remaining(self, truth: Truth) -> tuple[Subgoal, ...]:
        """Pick, place, press, less what is done."""
        start = () if truth.world.data.userdata[PRESSED] == STARTED else (press(truth, BUTTON),)
        if self._loaded(truth):
            return start
        loading = (place(truth, self.part, FIXTURE), *start)
        return loading if truth.held() == self.part else (pick(truth, self.part), *loading)

    def update(self, truth: Truth) -> None:
        """Latch the press. One in vain is forgotten when the part arrives: the machine waits to be started again."""
        if BUTTON not in truth.world.entities:
            return
        latch, down = truth.world.data.userdata, predicates.pushed_down(truth, BUTTON)
        loaded = not self.infeasible and self._loaded(truth)  # what cannot be loaded may not even be there
        if down and latch[PRESSED] != STARTED:
            latch[PRESSED] = STARTED if loaded else IN_VAIN
        elif latch[PRESSED] == IN_VAIN and loaded:
            latch[PRESSED] = 0


@dataclass(frozen=True)
class Machine:
    """The task; see `Task`. Harder worlds hold more parts that nobody asked for."""

    name: str = "machine"
    summary: str = "load a part into a fixture and press the start button"
    horizon_s: float = 120.0
    phrasings: tuple[str, ...] = (
        "load the {part} into the machine and start it",
        "put the {part} in the fixture, then press the start button",
        "place the {part} into the fixture and push the button",
        "machine the {part}: load it and press start",
        "the {part} goes into the machine; start it once it is loaded",
        "set the {part} in the machine's fixture and hit start",
        "run the machine on the {part}",
    )

    def sample(self, scene: Scene, rng: np.random.Generator, wish: Wish) -> MachineChallenge:
        """A fixture, a console and one to five parts."""
        part = self.understand(wish.instruction) if wish.instruction else draw_names(rng, 1)[0]
        fault = None if wish.feasible else str(rng.choice(FAULTS))
        furnisher = Furnisher(scene, rng)
        size = furnisher.block_size(part.split()[1])
        place_of_part = _add_machine(furnisher, size, with_button=fault != "no button")
        present = [] if fault in ("no such part", "out of reach") else [part]
        for name in present:
            furnisher.block(name, size=size, xy=place_of_part)
        furnisher.distractor_blocks(draw_names(rng, round(4 * wish.difficulty) + (not present), exclude=[part]))
        if fault == "out of reach":
            furnisher.distant_block(part)
        reason = {
            "no such part": f"there is no {part}", "no button": "the machine has no start button",
            "out of reach": f"the {part} is out of reach",
        }.get(fault)
        phrase = wish.instruction or str(rng.choice(self.phrasings)).format(part=part)
        return MachineChallenge(part, phrase, reason)

    def understand(self, instruction: str) -> str:
        """The part that words name, or `InvalidOption` with an example."""
        parts = named(instruction.lower(), rf"\b(?:{'|'.join(COLOURS)}) (?:{'|'.join(SHAPES)})\b")
        if len(parts) != 1:
            raise InvalidOption(
                f"machine does not understand {instruction!r}: it takes one part, and found "
                f"{found(parts)}. Say for example "
                f"{self.phrasings[0].format(part='red cube')!r}; colours: {', '.join(COLOURS)}; "
                f"shapes: {', '.join(SHAPES)}."
            )
        return parts[0]


def _add_machine(furnisher: Furnisher, part: tuple[float, float, float], *, with_button: bool) -> np.ndarray:
    """Fixture and console at random places, both facing the robot. Returns (2,) a place for the part."""
    scene, gap = furnisher.scene, furnisher.finger_gap_m
    radius = float(np.hypot(part[0], part[1])) / 2
    discs = ((radius + FIT_M + 1.5 * (POCKET_WALL_M + FLANGE_M), gap), (CONSOLE_M / np.sqrt(2), gap), (radius, gap))
    fixture, console, loose = furnisher.layout.draw_many(discs, needed=len(discs))
    turn = float(furnisher.rng.uniform(-0.4, 0.4))
    scene.add(add_fixture(scene.spec, FIXTURE, part, xy=fixture, yaw_rad=float(np.arctan2(*fixture[::-1])) + turn))
    if with_button:
        yaw, height = float(np.arctan2(*console[::-1])), CONSOLE_HEIGHT_M * scene.scale
        scene.add(add_console(scene.spec, BUTTON, xy=console, yaw_rad=yaw, height=height))
    return loose
