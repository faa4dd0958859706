"""Build a tower in a named order, at the place where its lowest block stands."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import mujoco
import numpy as np

from tandem.bridge.contract import InvalidOption, Subgoal
from tandem.bridge.robots import Robot
from tandem.sim import predicates
from tandem.sim.entities import BOX, Entity
from tandem.sim.furnish import LARGEST_OF_GRIPPER, SIDE_M, Furnisher, draw_names
from tandem.sim.layout import EDGE_M, sector
from tandem.sim.scene import Scene
from tandem.sim.tasks.steps import pick, place, stack_on
from tandem.sim.tasks.task import Wish
from tandem.sim.truth import Truth
from tandem.sim.vocabulary import COLOURS, SHAPES, listed

TALLEST = 4
MAT = "mat"  # a clear place: what is in the way is put there
MAT_M = 0.11
BELOW_HAND_M = 0.05  # between a tower and a hand at rest above it
NEAR_REACH = 0.9  # the tower stands within this share of the reach: a high hand reaches less far
_NAME = rf"(?:{'|'.join(COLOURS)})(?:\s+(?:{'|'.join(SHAPES)}))?"
_THING = re.compile(rf"\b{_NAME}\b")
_ON = re.compile(rf"\b({_NAME})\s+(?:up)?on(?:to)?(?:\s+top\s+of)?\s+(?:the\s+)?({_NAME})\b")
_ON_TOP = re.compile(rf"\b({_NAME})\s+on\s+(?:top\b(?!\s+of)|it\b|that\b)")


@dataclass(frozen=True)
class StackChallenge:
    """A tower; see `Challenge`. `tower` lists its blocks from the bottom up."""

    tower: tuple[str, ...]
    instruction: str
    infeasible: str | None

    def success(self, truth: Truth) -> bool:
        """Every block stands on the one below, and the hand is off."""
        return self.built(truth) == len(self.tower) and not truth.touched().intersection(self.tower)

    def built(self, truth: Truth) -> int:
        """How many blocks stand right, counted from the bottom."""
        above = zip(self.tower[1:], self.tower, strict=False)
        right = [predicates.on_top(truth, upper, lower) for upper, lower in above]
        return 1 + (right.index(False) if False in right else len(right))

    def progress(self, truth: Truth) -> float:
        """The share of blocks that stand on another; half for the next one when it is lifted."""
        built = self.built(truth)
        lifted = built < len(self.tower) and predicates.lifted(truth, self.tower[built])
        share = (built - 1 + 0.5 * lifted) / (len(self.tower) - 1)
        return 1.0 if self.success(truth) else min(share, 0.99)

    def remaining(self, truth: Truth) -> tuple[Subgoal, ...]:
        """From the first wrong level up. What lies on a block that is needed is put on the mat first."""
        held, level, steps = truth.held(), self.built(truth), []
        if level == len(self.tower):
            return ()
        moved: set[str] = set()
        wanted = self.tower[level]
        if held is not None and (held != wanted or _covering(truth, self.tower[level - 1], {wanted})):
            steps.append(place(truth, held, MAT))
            held = None
        for thing, below in zip(self.tower[level:], self.tower[level - 1:], strict=False):
            for obstacle in [*_covering(truth, thing, moved), *_covering(truth, below, moved | {thing})]:
                steps += [pick(truth, obstacle), place(truth, obstacle, MAT)]
                moved.add(obstacle)
            steps += [] if thing == held else [pick(truth, thing)]
            steps.append(stack_on(truth, thing, below))
            moved.add(thing)
        return tuple(steps)

    def update(self, truth: Truth) -> None:
        """Nothing to latch."""


def _covering(truth: Truth, lower: str, besides: set[str]) -> list[str]:
    """Loose things that lie on another, the highest first."""
    held = truth.held()
    found = [
        name for name, entity in truth.world.entities.items()
        if entity.loose and name not in besides | {lower, held} and predicates.covers(truth, name, lower)
    ]
    return sorted(found, key=lambda name: -truth.pose(name)[0][2])


@dataclass(frozen=True)
class Stack:
    """The task; see `Task`. Harder worlds ask for taller towers among more distractors."""

    name: str = "stack"
    summary: str = "build a tower of two to four blocks in a named order"
    horizon_s: float = 300.0
    phrasings: tuple[str, ...] = (
        "{pairs}",
        "stack the {second} on the {first}{then}",
        "build a tower from bottom to top: {upward}",
        "build a tower from top to bottom: {downward}",
        "make a tower with the {first} at the bottom, then {rest}",
        "build a tower from bottom to top: {colours}",
        "pile up, from the bottom up, {the_upward}",
    )

    def sample(self, scene: Scene, rng: np.random.Generator, wish: Wish) -> StackChallenge:
        """Two to four blocks to stack, up to three others, and a mat for what is in the way."""
        phrase = wish.instruction or str(rng.choice(self.phrasings))
        levels = min(2 + round(2 * wish.difficulty), _tallest(scene))
        tower = self.understand(phrase) if wish.instruction else _draw_tower(rng, levels, cubes="{colours}" in phrase)
        fault = None if wish.feasible else str(rng.choice(["no such object", "out of reach"]))
        odd = str(rng.choice(tower[1:]))
        present = [name for name in tower if not (fault and name == odd)]
        by_colour = "{colours}" in phrase or not any(shape in phrase for shape in (*SHAPES, "{"))
        others = _draw_others(rng, tower, round(3 * wish.difficulty), other_colours=by_colour)
        furnisher = Furnisher(scene, rng)
        _arrange(furnisher, present, others, len(tower))
        if fault == "out of reach":
            furnisher.distant_block(odd)
        reason = {"no such object": f"there is no {odd}", "out of reach": f"the {odd} is out of reach"}.get(fault)
        return StackChallenge(tower, wish.instruction or _phrased(phrase, tower), reason)

    def understand(self, instruction: str) -> tuple[str, ...]:
        """The blocks from the bottom up, or `InvalidOption` with an example."""
        words = instruction.lower()
        order = _ordered(words) if _states_order(words) else _chained(words)
        if not (2 <= len(order) <= TALLEST and len(set(order)) == len(order)):
            raise InvalidOption(
                f"stack does not understand {instruction!r}: it found {listed(order) if order else 'no block'}, "
                f"and needs 2 to {TALLEST} different blocks in one order. Say for example 'build a tower from bottom "
                f"to top: green cube, red cube, blue cube'; colours: {', '.join(COLOURS)}; shapes: "
                f"{', '.join(SHAPES)} (a cube if none is said)."
            )
        return tuple(order)


def _full(name: str) -> str:
    """'red' -> 'red cube'."""
    words = name.split()
    return " ".join(words if len(words) == 2 else [*words, "cube"])


def _states_order(words: str) -> bool:
    return re.search(r"bottom|top\s+to|top\s+down", words) is not None


def _ordered(words: str) -> list[str]:
    names = [_full(name) for name in _THING.findall(words)]
    return names[::-1] if re.search(r"top\s+(?:to\s+bottom|down)", words) else names


def _chained(words: str) -> list[str]:
    """'the red cube on the green cube, the blue cube on top' -> bottom up; empty when it is no one tower."""
    order: list[str] = []
    clauses = sorted([*_ON.finditer(words), *_ON_TOP.finditer(words)], key=lambda match: match.start())
    pairs = [[_full(name) for name in match.groups()] for match in clauses]
    mentioned = {_full(name) for name in _THING.findall(words)}
    for pair in pairs:
        upper, lower = pair[0], pair[1] if len(pair) == 2 else (order or [""])[-1]
        order = order or [lower]
        if lower == order[-1]:
            order.append(upper)
        elif upper == order[0]:
            order.insert(0, lower)
        else:
            return []
    return order if set(order) == mentioned else []


def _phrased(phrase: str, tower: Sequence[str]) -> str:
    if "{" not in phrase:
        return phrase
    the = [f"the {name}" for name in tower]
    pairs = [f"the {upper} on the {lower}" for upper, lower in zip(tower[1:], tower, strict=False)]
    return phrase.format(
        first=tower[0], second=tower[1], pairs=f"put {listed(pairs)}", pairs_bare=listed(pairs),
        upward=", ".join(tower), downward=", ".join(reversed(tower)), rest=", then ".join(the[1:]),
        the_upward=listed(the),
        then="".join(f", then the {name} on top" for name in tower[2:]),
        colours=", ".join(name.split()[0] for name in tower),
    )


def _tallest(scene: Scene) -> int:
    """Blocks of a tower whose top this robot reaches wherever it stands."""
    side = min(SIDE_M[1], LARGEST_OF_GRIPPER * scene.robot.gripper.max_width_m)
    return max(2, int((scene.robot.workspace.height_max_m + side / 2) / side))


def _draw_tower(rng: np.random.Generator, levels: int, *, cubes: bool) -> tuple[str, ...]:
    """Cubes of different colours; the lowest may be a brick or an upright cylinder."""
    colours = rng.choice(list(COLOURS), levels, replace=False)
    base = "cube" if cubes else str(rng.choice(SHAPES, p=[0.6, 0.2, 0.2]))
    return tuple(f"{colour} {base if level == 0 else 'cube'}" for level, colour in enumerate(colours))


def _draw_others(rng: np.random.Generator, tower: Sequence[str], n: int, *, other_colours: bool) -> list[str]:
    colours = {name.split()[0] for name in tower}
    clash = [f"{colour} {shape}" for colour in colours for shape in SHAPES] if other_colours else tower
    return draw_names(rng, min(n, 3), exclude=clash)


def _arrange(furnisher: Furnisher, present: list[str], others: list[str], levels: int) -> None:
    """The lowest block well within reach, the mat, the other blocks, and distractors where there is room."""
    scene, rng = furnisher.scene, furnisher.rng
    names = [*present, *others]
    sizes = [furnisher.block_size(name.split()[1]) for name in names]
    radii = [float(np.hypot(*size[:2])) / 2 for size in sizes]
    mat = MAT_M * max(scene.scale, 0.55)
    reach = scene.robot.workspace.reach_max_m * (NEAR_REACH - 0.05 * (levels - 2))
    base = _tower_place(scene, rng, reach, height=levels * max(size[2] for size in sizes))
    furnisher.layout.reserve(base, radii[0])
    discs = [(mat * 0.71, EDGE_M), *((radius, furnisher.finger_gap_m) for radius in radii[1:])]
    places = furnisher.layout.draw_many(discs, needed=len(present))
    _add_mat(scene, mat, places[0])
    for name, size, xy in zip(names, sizes, [base, *places[1:]], strict=False):
        furnisher.block(name, size=size, xy=xy)


def _tower_place(scene: Scene, rng: np.random.Generator, reach_m: float, height: float) -> np.ndarray:
    """(2,) within a reach, and not below a hand that rests lower than the tower is high."""
    robot, hand = scene.robot, _resting_hand(scene.robot)
    low = hand[2] - robot.gripper.finger_depth_m < height + BELOW_HAND_M
    while True:
        angle = rng.uniform(*sector(robot.workspace))
        xy = rng.uniform(robot.workspace.reach_min_m, reach_m) * np.array([np.cos(angle), np.sin(angle)])
        if not low or np.linalg.norm(xy - hand[:2]) > 2 * robot.gripper.max_width_m:
            return xy


def _resting_hand(robot: Robot) -> np.ndarray:
    """(3,) position of the tool in the robot's rest pose."""
    model = mujoco.MjModel.from_xml_string(robot.mjcf)
    data = mujoco.MjData(model)
    for name, angle in zip(robot.joint_names, robot.home, strict=True):
        data.joint(name).qpos = angle
    mujoco.mj_kinematics(model, data)
    return data.site(robot.tool_site).xpos.copy()


def _add_mat(scene: Scene, side: float, xy: np.ndarray) -> Entity:
    """A thin rubber mat that lies on the table."""
    half = side / 2
    body = scene.spec.worldbody.add_body(name=MAT, pos=[*xy, 0])
    rubber = [0.16, 0.17, 0.19, 1]
    body.add_geom(name=f"{MAT}_geom", type=BOX, pos=[0, 0, 0.0005], size=[half, half, 0.0005], rgba=rubber)
    return scene.add(Entity(MAT, "mat", MAT, (side, side, 0.001), (0, 0, 0.001), 0.001))
