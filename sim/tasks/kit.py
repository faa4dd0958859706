"""Factory kitting: named parts, each into its own pocket of one tray."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tandem.bridge.contract import InvalidOption, Subgoal
from tandem.sim import predicates
from tandem.sim.furnish import LARGEST_OF_GRIPPER, OUT_OF_REACH, Furnisher
from tandem.sim.layout import Layout, sector
from tandem.sim.parts import PARTS, RIB_M, add_part, add_slot, add_tray
from tandem.sim.scene import Scene
from tandem.sim.tasks.steps import pick, place
from tandem.sim.tasks.task import Wish
from tandem.sim.truth import Truth
from tandem.sim.vocabulary import COLOURS, listed

CLEARANCE_M = (0.010, 0.006)  # around a part in its pocket, both sides together: easy, hard
LOOSE_FINGERS_M = 0.020  # how much wider than the part the fingers open to let go
TRAY_TRIES = 60
SMALL = 0.6  # a robot of less than this share of the reference reach gets a tray of up to three pockets


@dataclass(frozen=True)
class KitChallenge:
    """Parts to be put into the tray; see `Challenge`."""

    parts: tuple[str, ...]
    instruction: str
    infeasible: str | None

    def success(self, truth: Truth) -> bool:
        """Every named part sits on the floor of its own pocket, let go."""
        return all(_seated(truth, part) for part in self.parts)

    def progress(self, truth: Truth) -> float:
        """The share of parts that are seated; half for the one that is lifted."""
        return float(np.mean([
            1.0 if _seated(truth, part) else 0.5 * predicates.lifted(truth, part) for part in self.parts
        ]))

    def remaining(self, truth: Truth) -> tuple[Subgoal, ...]:
        """What is in the hand first, then parts that lie in another's pocket, then the order of the instruction."""
        held = truth.held()
        slots = [f"{part} slot" for part in self.parts]

        def in_the_way(part: str) -> bool:
            return any(slot != f"{part} slot" and predicates.inside(truth, part, slot) for slot in slots)

        left = [part for part in self.parts if not _seated(truth, part)]
        left.sort(key=lambda part: (part != held, not in_the_way(part)))
        steps: list[Subgoal] = []
        for part in left:
            delivery = place(truth, part, f"{part} slot")
            steps += [delivery] if part == held else [pick(truth, part), delivery]
        return tuple(steps)

    def update(self, truth: Truth) -> None:
        """Nothing to latch."""


def _seated(truth: Truth, part: str) -> bool:
    return predicates.seated(truth, part, f"{part} slot")


@dataclass(frozen=True)
class Kit:
    """The task; see `Task`. Harder worlds name more parts, hold more that are not named, and have tighter pockets."""

    name: str = "kit"
    summary: str = "put named parts into their slots of a tray"
    horizon_s: float = 360.0
    phrasings: tuple[str, ...] = (
        "put {the} into the tray",
        "kit {one}",
        "place {the} in their slots of the tray",
        "this kit needs {one}",
        "fill the tray with {one}",
        "take {the} and set each into its own slot, please",
    )

    def sample(self, scene: Scene, rng: np.random.Generator, wish: Wish) -> KitChallenge:
        """Two to five parts to kit, one or two that are not asked for."""
        n, more = 2 + round(3 * wish.difficulty), round(2 * wish.difficulty)
        if scene.scale < SMALL:
            n, more = min(n, 3), 0
        drawn = [str(part) for part in rng.permutation(list(PARTS))]
        asked = self.understand(wish.instruction) if wish.instruction else tuple(drawn[:n])
        others = [part for part in drawn if part not in asked][:more]
        fault = None if wish.feasible else str(rng.choice(["no such object", "no such slot", "out of reach"]))
        asked, reason = _furnish(Furnisher(scene, rng), asked, others, fault, wish, fixed=wish.instruction is not None)
        phrase = wish.instruction or str(rng.choice(self.phrasings)).format(
            the=listed([f"the {part}" for part in asked]), one=listed([f"one {part}" for part in asked])
        )
        return KitChallenge(asked, phrase, reason)

    def understand(self, instruction: str) -> tuple[str, ...]:
        """The parts that words name, or `InvalidOption` with an example."""
        found = re.findall(rf"\b({'|'.join(PARTS)})(?:e?s)?\b(?!\s+slot)", instruction.lower())
        if not found:
            raise InvalidOption(
                f"kit does not understand {instruction!r}. Say for example 'put the gear and the pin into the tray'; "
                f"parts: {', '.join(PARTS)}."
            )
        return tuple(dict.fromkeys(found))


def _furnish(
    furnisher: Furnisher, asked: tuple[str, ...], others: list[str], fault: str | None, wish: Wish, *, fixed: bool
) -> tuple[tuple[str, ...], str | None]:
    """Tray, pockets and parts. The parts asked for that found a place (all, if they are fixed), and the fault."""
    rng, scene = furnisher.rng, furnisher.scene
    odd = str(rng.choice(asked))
    sizes = {part: _size(furnisher, part) for part in (*asked, *others)}
    present = [part for part in asked if part != odd or fault in (None, "no such slot")]
    slots = [part for part in (*asked, *others) if not (fault == "no such slot" and part == odd)]
    needed = len(present) if fixed or len(present) < 2 else 2
    xy, yaw, cells, places = _arrange(furnisher, slots, [*present, *others], sizes, needed)
    on_table = [*present, *others][: len(places)]
    asked = tuple(part for part in asked if part in on_table or part == odd)
    colours = dict(zip(sizes, rng.permutation(list(COLOURS)), strict=False))
    clearance = float(np.interp(wish.difficulty, (0, 1), CLEARANCE_M))
    _build_tray(scene, slots, sizes, colours, xy, yaw, cells, clearance)
    for part, place_xy in zip(on_table, places, strict=True):
        _add(furnisher, part, sizes[part], colours[part], place_xy)
    if fault == "out of reach":
        angle, reach = rng.uniform(-0.4, 0.4), OUT_OF_REACH * scene.robot.workspace.reach_max_m
        _add(furnisher, odd, sizes[odd], colours[odd], reach * np.array([np.cos(angle), np.sin(angle)]))
    reason = {
        "no such object": f"there is no {odd}", "no such slot": f"the tray has no slot for the {odd}",
        "out of reach": f"the {odd} is out of reach",
    }.get(fault)
    return asked, reason


def _size(furnisher: Furnisher, part: str) -> np.ndarray:
    """(3,) random extents that the gripper can take."""
    widest = max(min(kind.size[:2]) for kind in PARTS.values())
    scale = min(1.0, LARGEST_OF_GRIPPER * furnisher.scene.robot.gripper.max_width_m / widest)
    return np.array(PARTS[part].size) * scale * furnisher.rng.uniform(0.92, 1.0)


def _add(furnisher: Furnisher, part: str, size: np.ndarray, colour: str, xy: np.ndarray) -> None:
    rgb = np.clip(np.array(COLOURS[colour]) * furnisher.rng.uniform(0.85, 1.1), 0, 1)
    yaw = furnisher.rng.uniform(-np.pi, np.pi)
    furnisher.scene.add(add_part(furnisher.scene.spec, part, size=size, rgb=rgb, xy=xy, yaw_rad=yaw, colour=colour))


def _arrange(
    furnisher: Furnisher, slots: Sequence[str], parts: Sequence[str], sizes: dict[str, np.ndarray], needed: int
) -> tuple[np.ndarray, float, np.ndarray, list[np.ndarray]]:
    """Where the tray stands, its yaw, the pockets' centres in it, and where as many parts as there is room for lie."""
    space, grip = furnisher.scene.robot.workspace, furnisher.scene.robot.gripper
    widest = max(float(max(size[:2])) for size in sizes.values())
    # An open finger beside a part must miss the part in the next pocket.
    pitch = widest + LOOSE_FINGERS_M / 2 + grip.finger_thickness_m + 0.003
    rows = 1 if len(slots) < 3 else 2
    columns = -(-len(slots) // rows)
    cells = np.array([
        [(row - (rows - 1) / 2) * pitch, (column - (columns - 1) / 2) * pitch]
        for column in range(columns) for row in range(rows)
    ])[: len(slots)]
    discs = [(float(np.hypot(*sizes[part][:2])) / 2, furnisher.finger_gap_m) for part in parts]
    best: tuple[np.ndarray, float, list[np.ndarray]] | None = None
    for _ in range(TRAY_TRIES):
        reach = furnisher.rng.uniform(space.reach_min_m, space.reach_max_m)
        angle = furnisher.rng.uniform(*sector(space))
        xy = reach * np.array([np.cos(angle), np.sin(angle)])
        if not all(space.contains(*(xy + _turn(angle) @ cell)) for cell in cells):
            continue
        layout = Layout(space, furnisher.rng)
        for cell in cells:
            layout.reserve(xy + _turn(angle) @ cell, pitch * 0.71)
        places = layout.draw_many(discs, needed=0)
        if best is None or len(places) > len(best[2]):
            best = xy, float(angle), places
        if len(places) == len(parts):
            break
    if best is None or len(best[2]) < needed:
        raise InvalidOption(f"this robot's table has no room for a tray and {needed} parts; name fewer")
    return best[0], best[1], cells, best[2]


def _turn(angle: float) -> np.ndarray:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _build_tray(
    scene: Scene, slots: Sequence[str], sizes: dict[str, np.ndarray], colours: dict[str, str], xy: np.ndarray,
    yaw: float, cells: np.ndarray, clearance_m: float,
) -> None:
    pitch = float(np.abs(cells[1:] - cells[0]).max(axis=1).min()) if len(cells) > 1 else 1.4 * max(sizes[slots[0]][:2])
    extent = cells.max(axis=0) - cells.min(axis=0) + pitch
    middle = (cells.max(axis=0) + cells.min(axis=0)) / 2
    scene.add(add_tray(scene.spec, size=extent + 2 * RIB_M, xy=xy + _turn(yaw) @ middle, yaw_rad=yaw))
    for part, cell in zip(slots, cells, strict=True):
        colour = str(colours[part])
        scene.add(add_slot(
            scene.spec, part, inner=sizes[part][:2] + clearance_m, rgb=COLOURS[colour], xy=xy + _turn(yaw) @ cell,
            yaw_rad=yaw, colour=colour,
        ))
