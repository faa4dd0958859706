"""Endless batches of windows of pictures, with what lies in them: for the vision tower.

A window is cut at whole cells of a varied picture (shifted, scaled, mirrored, in another light), so that it keeps its
place. What its edge cuts through is not asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from tandem.agent.planner.training.architecture import CELL, CELLS, HEIGHT, MERGE, PATCH, WIDTH
from tandem.agent.planner.training.augment import MIRROR, tone
from tandem.agent.planner.training.codes import BINS, PER_CELL, Slots
from tandem.agent.planner.training.shards import Shards
from tandem.agent.planner.training.sources import Sources
from tandem.agent.planner.training.words import split_name

SIDES = (2, 2, 2, 4, 2, 2, 2, 8)  # cells of a window, each way, batch by batch: shapes need little around them
BANK, USES = 800, 16  # pictures that are cut from, and windows for each that is exchanged
MAX_SHIFT, MAX_SCALE = 0.012, 0.03  # shares of the picture; whether a thing is in reach must stay true
CUT_PX = (16, 12), (16, 28)  # a thing whose point is that near to a window's edge, x and y, low and high, is cut off
BELOW_PX = 8  # a point is on top of a thing: its middle is a little lower
SOUGHT = 0.5
NOTHING = 255
LARGE, RARE = (" bin", "mat", "conveyor", "cabinet", "tray"), ("slot", "peg", "socket", "button", "fixture", "handle")
PARTS = ("gear", "hex nut", "bushing", "pin", "bracket", "plate")


@dataclass(frozen=True, eq=False)
class Windows:
    """A batch.

    Attributes:
        pictures: uint8 (B, H, W, 3).
        corners: int (B, 2) row and column of each window's first cell.
        batch, slot: int (N,) of every thing that is asked for.
        words: int (N, 5), bins: float (N, 2); see `codes.Slots`.
        asked: bool (B, slots) where it is asked whether something is there.
        patches: int (B, P, 2) colour and kind of what each patch shows, in the processor's order; -1 for nothing.
        offsets: float (B, P, 2) from a patch to the point of what it shows, in pixels.
    """

    pictures: torch.Tensor
    corners: torch.Tensor
    batch: torch.Tensor
    slot: torch.Tensor
    words: torch.Tensor
    bins: torch.Tensor
    asked: torch.Tensor
    patches: torch.Tensor
    offsets: torch.Tensor

    def to(self, device: str) -> Windows:
        """The same on a device."""
        return Windows(*(getattr(self, name).to(device) for name in vars(self)))


@dataclass(frozen=True, eq=False)
class Known:
    """A picture with all that is known of it."""

    picture: np.ndarray
    labels: np.ndarray
    things: Sequence[Mapping[str, Any]]

    @classmethod
    def of(cls, shards: Shards, index: int) -> Known:
        """That of a number."""
        return cls(shards.picture(index), shards.labels(index), shards.record(index)["things"])


def window_batches(folder: Path, size: int, rng: np.random.Generator) -> Iterator[Windows]:
    """Windows around things: `size` small ones, or fewer larger ones that have as many patches."""
    shards = Sources.of(folder).pictures
    bank = [_with_things(shards, rng) for _ in range(BANK // 8)]
    for side in cycle(SIDES):
        for _ in range(max(1, size // USES)):
            fresh = _with_things(shards, rng)
            if len(bank) < BANK:
                bank.append(fresh)
            else:
                bank[rng.integers(BANK)] = fresh
        count = max(1, size * min(SIDES) ** 2 // side**2)
        yield collate([_window(_drawn(bank, rng), side, rng) for _ in range(count)])


def whole_batches(folder: Path, size: int, rng: np.random.Generator) -> Iterator[Windows]:
    """Whole pictures, varied."""
    shards = Sources.of(folder).pictures
    while True:
        drawn = [Known.of(shards, int(k)) for k in rng.integers(len(shards), size=size)]
        yield collate([_cut(known, _variation(rng), (0, 0), CELLS, rng) for known in drawn])


def held_out(folder: Path, count: int, size: int = 8) -> Iterator[Windows]:
    """Whole pictures that are never trained on, as they are."""
    shards = Sources.of(folder, held_out=True).pictures
    numbers = np.random.default_rng(0).permutation(len(shards))[:count]
    for chunk in np.array_split(numbers, -(-len(numbers) // size)):
        yield collate([_cut(Known.of(shards, int(k)), np.eye(2, 3), (0, 0), CELLS, None) for k in chunk])


def _with_things(shards: Shards, rng: np.random.Generator) -> Known:
    while not shards.record(index := int(rng.integers(len(shards))))["things"]:
        pass
    return Known.of(shards, index)


def _variation(rng: np.random.Generator) -> np.ndarray:
    """(2, 3) the map of a picture's pixels to those of a variant."""
    scale, middle = 1 + rng.uniform(-MAX_SCALE, MAX_SCALE), np.array([WIDTH, HEIGHT]) / 2
    offset = middle * (1 - scale) + rng.uniform(-MAX_SHIFT, MAX_SHIFT, 2) * 2 * middle
    matrix = np.array([[scale, 0, offset[0]], [0, scale, offset[1]]])
    if rng.random() < MIRROR:
        matrix[0] = -scale, 0, WIDTH - offset[0]
    return matrix


def _drawn(bank: Sequence[Known], rng: np.random.Generator) -> Known:
    """Any picture; small parts and what is held, which few pictures show, are sought a little."""
    drawn = [bank[k] for k in rng.integers(len(bank), size=3 if rng.random() < SOUGHT else 1)]
    return max(drawn, key=lambda known: sum((thing["name"] in PARTS) + 3 * _held(thing) for thing in known.things))


def _window(known: Known, side: int, rng: np.random.Generator) -> tuple:
    """One around a thing; small and rare things are preferred."""
    matrix = _variation(rng)
    weights = np.array([_weight(thing, side) for thing in known.things])
    thing = known.things[rng.choice(len(weights), p=weights / weights.sum())]
    x, y = _moved(np.array([[thing["u"], thing["v"]]]), matrix)[0]
    middle = np.array([y + BELOW_PX, x]) / CELL + rng.uniform(-0.25, 0.25, 2) * (side - 1)
    corner = np.clip(np.round(middle - side / 2), 0, np.array(CELLS) - side).astype(int)
    return _cut(known, matrix, (int(corner[0]), int(corner[1])), (side, side), rng)


def _weight(thing: Mapping[str, Any], side: int) -> float:
    name = thing["name"]
    if _held(thing):
        return 6.0
    if name.endswith(LARGE):
        return 0.35 if side > min(SIDES) else 0.08
    return 2.0 if name in PARTS or name.endswith(RARE) else 1.0


def _held(thing: Mapping[str, Any]) -> bool:
    return thing["where"] == "in the gripper"


def _moved(shares: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """(N, 2) pixels of the variant, from shares of the picture."""
    return shares * (WIDTH, HEIGHT) @ matrix[:, :2].T + matrix[:, 2]


def _cut(
    known: Known, matrix: np.ndarray, corner: tuple[int, int], cells: tuple[int, int], rng: np.random.Generator | None
) -> tuple:
    """Window, corner, slots of all things (of the whole picture), cells of the window, colour and kind, offsets."""
    height, width = (count * CELL for count in cells)
    start = np.array([corner[1], corner[0]]) * CELL
    own = np.column_stack([matrix[:, :2], matrix[:, 2] - start])
    if np.array_equal(own, np.eye(2, 3)):
        picture = known.picture
    else:
        picture = cv2.warpAffine(known.picture, own, (width, height), borderMode=cv2.BORDER_REPLICATE)
    at = _moved(np.array([[thing["u"], thing["v"]] for thing in known.things]).reshape(-1, 2), matrix)
    things = [{**t, "u": u / WIDTH, "v": v / HEIGHT} for t, (u, v) in zip(known.things, at, strict=True)]
    numbers = _shown(known, matrix, start, (height // PATCH, width // PATCH))
    names = np.array([[-1, -1], *(split_name(thing["name"]) or (-1, -1) for thing in things)], np.int64)
    middles = _middles(start, (height // PATCH, width // PATCH))
    offsets = np.concatenate([[[0.0, 0.0]], at])[numbers] - middles * (numbers > 0)[:, None]
    return (tone(picture, rng) if rng else picture), corner, Slots(things), cells, names[numbers], offsets


def _middles(start: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """(P, 2) middles of patches in pixels of the picture, in the processor's order."""
    rows, columns = np.indices(grid)
    middles = np.stack([columns, rows], -1) * PATCH + PATCH / 2 + start
    return middles.reshape(grid[0] // MERGE, MERGE, grid[1] // MERGE, MERGE, 2).transpose(0, 2, 1, 3, 4).reshape(-1, 2)


def _shown(known: Known, matrix: np.ndarray, start: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """int (P,) what is in the middle of each patch: 0 for nothing, else the number of the thing and 1."""
    back = (_middles(start, grid) - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    step = WIDTH // known.labels.shape[1]
    columns, rows = (np.clip(back[:, k] // step, 0, known.labels.shape[1 - k] - 1).astype(int) for k in (0, 1))
    labels = known.labels[rows, columns].astype(np.int64)
    return np.where(labels == NOTHING, 0, labels + 1)


def collate(cuts: Sequence[tuple]) -> Windows:
    """Side by side; all of one size."""
    asked = np.ones((len(cuts), cuts[0][3][0] * cuts[0][3][1] * PER_CELL), bool)
    found: list[tuple[np.ndarray, ...]] = []
    for number, (_, corner, slots, cells, _, _) in enumerate(cuts):
        own, inside, clear = _within(slots, corner, cells)
        asked[number, own[inside & ~clear]] = False
        kept = inside & clear
        found.append((np.full(kept.sum(), number), own[kept], slots.words[kept], slots.bins[kept]))
    batch, slot, words, bins = (torch.from_numpy(np.concatenate(parts)) for parts in zip(*found, strict=True))
    return Windows(
        torch.from_numpy(np.stack([cut[0] for cut in cuts])), torch.tensor([cut[1] for cut in cuts]), batch, slot,
        words, bins, torch.from_numpy(asked), torch.from_numpy(np.stack([cut[4] for cut in cuts])),
        torch.from_numpy(np.stack([cut[5] for cut in cuts]).astype(np.float32)),
    )


def _within(
    slots: Slots, corner: tuple[int, int], cells: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each thing's slot in the window, whether it is inside, and whether the window shows enough of it."""
    cell, which = np.divmod(slots.index, PER_CELL)
    row, column = cell // CELLS[1] - corner[0], cell % CELLS[1] - corner[1]
    inside = (row >= 0) & (row < cells[0]) & (column >= 0) & (column < cells[1])
    pixels = slots.bins / BINS * (WIDTH, HEIGHT)
    low = np.array([corner[1], corner[0]]) * CELL
    high = low + np.array([cells[1], cells[0]]) * CELL
    free_low, free_high = low == 0, high == (WIDTH, HEIGHT)  # the picture itself ends there
    clear = ((pixels >= low + CUT_PX[0]) | free_low).all(1) & ((pixels < high - CUT_PX[1]) | free_high).all(1)
    return (row * cells[1] + column) * PER_CELL + which, inside, clear
