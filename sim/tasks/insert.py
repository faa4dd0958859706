"""Push the red peg into the blue socket: 2 mm of clearance in total, other pegs and sockets around."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tandem.bridge.contract import InvalidOption, Subgoal
from tandem.sim import predicates
from tandem.sim.fixtures import add_peg, add_socket, add_stand, require_reach
from tandem.sim.fixtures.socket import RIM_M, STAND_GAP_M, STAND_WALL_M
from tandem.sim.furnish import OUT_OF_REACH, Furnisher
from tandem.sim.scene import Scene
from tandem.sim.tasks.steps import insert, pick
from tandem.sim.tasks.task import Wish
from tandem.sim.tasks.words import found, named
from tandem.sim.truth import Truth
from tandem.sim.vocabulary import COLOURS

REACH_M = 0.5
PEG_WIDTH_M, PEG_LENGTH_M, SPARE_LENGTH_M, DEPTH_M = (0.020, 0.030), (0.070, 0.090), (0.064, 0.072), (0.034, 0.042)
FAULTS = ("no such peg", "no such socket", "out of reach")


@dataclass(frozen=True)
class InsertChallenge:
    """One peg into one hole; see `Challenge`."""

    peg: str
    socket: str
    instruction: str
    infeasible: str | None

    def success(self, truth: Truth) -> bool:
        """The peg sits deep in the hole, let go."""
        return predicates.inserted(truth, self.peg, self.socket)

    def progress(self, truth: Truth) -> float:
        """Half for lifting it, all for inserting it."""
        return 1.0 if self.success(truth) else 0.5 * predicates.lifted(truth, self.peg)

    def remaining(self, truth: Truth) -> tuple[Subgoal, ...]:
        """Pick and insert; only insert if it is in the hand already."""
        if self.success(truth):
            return ()
        push = insert(truth, self.peg, self.socket)
        return (push,) if truth.held() == self.peg else (pick(truth, self.peg), push)

    def update(self, truth: Truth) -> None:
        """Nothing to latch."""


@dataclass(frozen=True)
class Insert:
    """The task; see `Task`. Harder worlds hold more pegs and sockets, of other widths."""

    name: str = "insert"
    summary: str = "push a peg into the hole that it fits, 2 mm of clearance"
    horizon_s: float = 120.0
    phrasings: tuple[str, ...] = (
        "insert the {peg} into the {socket}",
        "push the {peg} into the hole of the {socket}",
        "put the {peg} in the {socket}",
        "the {peg} goes into the {socket}",
        "take the {peg} and plug it into the {socket}",
        "fit the {peg} into the {socket}, please",
        "assemble the {peg} with the {socket}",
    )

    def sample(self, scene: Scene, rng: np.random.Generator, wish: Wish) -> InsertChallenge:
        """One to three sockets, one to three pegs; the instruction names one of each, which fit."""
        require_reach(scene, self.name, REACH_M)
        colours = [str(colour) for colour in rng.permutation(list(COLOURS))]
        asked = self.understand(wish.instruction) if wish.instruction else None
        peg, socket = asked or (f"{colours[0]} peg", f"{colours[1]} socket")
        fault = None if wish.feasible else str(rng.choice(FAULTS))
        _furnish(_Bench(scene, rng), peg, socket, wish.difficulty, fault)
        reason = {
            "no such peg": f"there is no {peg}", "no such socket": f"there is no {socket}",
            "out of reach": f"the {peg} is out of reach",
        }.get(fault)
        phrase = wish.instruction or str(rng.choice(self.phrasings)).format(peg=peg, socket=socket)
        return InsertChallenge(peg, socket, phrase, reason)

    def understand(self, instruction: str) -> tuple[str, str]:
        """The peg and the socket that words stand for, or `InvalidOption` with an example."""
        words, colours = instruction.lower(), "|".join(COLOURS)
        pegs = named(words, rf"\b(?:{colours}) peg\b")
        sockets = named(words.replace(" hole", " socket"), rf"\b(?:{colours}) socket\b")
        if not len(pegs) == len(sockets) == 1:
            raise InvalidOption(
                f"insert does not understand {instruction!r}: it pushes one peg into one socket, and found "
                f"{found(pegs, sockets)}. Say for example "
                f"{self.phrasings[0].format(peg='red peg', socket='blue socket')!r}; colours: {', '.join(COLOURS)}."
            )
        return pegs[0], sockets[0]


class _Bench(Furnisher):
    """Puts pegs and sockets on the table."""

    def peg(self, name: str, width: float, length: float, xy: np.ndarray | None = None) -> None:
        colour = name.split()[0]
        radius = np.sqrt(2) * (width / 2 + STAND_GAP_M + STAND_WALL_M)
        xy = self.layout.draw(radius, self.finger_gap_m) if xy is None else xy
        yaw, rgb = self.rng.uniform(-np.pi, np.pi), np.array(COLOURS[colour]) * self.rng.uniform(0.85, 1.05)
        made = self.scene.add(add_peg(
            self.scene.spec, name, round_=bool(self.rng.integers(2)), width=width, length=length, rgb=rgb, xy=xy,
            yaw_rad=yaw, colour=colour,
        ))
        add_stand(self.scene.spec, made, xy=xy, yaw_rad=yaw)

    def socket(self, name: str, width: float) -> None:
        colour = name.split()[0]
        xy = self.layout.draw(np.sqrt(2) * (width / 2 + RIM_M), self.finger_gap_m)
        self.scene.add(add_socket(
            self.scene.spec, name, peg_width=width, depth=float(self.rng.uniform(*DEPTH_M)), rgb=COLOURS[colour], xy=xy,
            yaw_rad=self.rng.uniform(-np.pi, np.pi), colour=colour,
        ))


def _furnish(bench: _Bench, peg: str, socket: str, difficulty: float, fault: str | None) -> None:
    """The pair that fits, unless a fault takes one of them away, and pegs and sockets that nobody asked for."""
    rng = bench.rng
    width, length = float(rng.uniform(*PEG_WIDTH_M)), float(rng.uniform(*PEG_LENGTH_M))
    used = {peg.split()[0], socket.split()[0]}
    spares = [str(colour) for colour in rng.permutation([colour for colour in COLOURS if colour not in used])]
    more = round(2 * difficulty)
    sockets = [] if fault == "no such socket" else [(socket, width)]
    sockets += [(f"{colour} socket", float(rng.uniform(*PEG_WIDTH_M))) for colour in spares[: more + (not sockets)]]
    for name, hole in sockets:
        bench.socket(name, hole)
    if fault is None or fault == "no such socket":
        bench.peg(peg, width, length)
    for colour in spares[: more + (fault == "no such peg")][::-1]:
        bench.peg(f"{colour} peg", float(rng.uniform(*PEG_WIDTH_M)), float(rng.uniform(*SPARE_LENGTH_M)))
    if fault == "out of reach":
        angle, reach = rng.uniform(-0.4, 0.4), OUT_OF_REACH * bench.scene.robot.workspace.reach_max_m
        bench.peg(peg, width, length, reach * np.array([np.cos(angle), np.sin(angle)]))
