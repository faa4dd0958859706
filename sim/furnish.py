"""Puts blocks and bins on the table at random free places: what most tasks begin with."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import numpy as np

from tandem.sim.entities import Entity, add_bin, add_block
from tandem.sim.layout import Layout, finger_gap_m
from tandem.sim.scene import Scene
from tandem.sim.vocabulary import COLOURS, SHAPES

SIDE_M = (0.034, 0.044)  # of a cube at the reference scale
BIN_M = (0.15, 0.15, 0.05)
OUT_OF_REACH = 1.25  # times the robot's reach
SMALLEST_BIN = 0.6  # of the reference size: a small arm's blocks are not that much smaller
LARGEST_OF_GRIPPER = 0.6  # a block's width at most, as a share of the gripper's


class Furnisher:
    """Adds random things to a scene.

    Args:
        scene: the scene.
        rng: the random generator.

    Attributes:
        layout: what is taken on the table so far.
    """

    def __init__(self, scene: Scene, rng: np.random.Generator):
        self.scene, self.rng = scene, rng
        self.layout = Layout(scene.robot.workspace, rng)

    def side(self) -> float:
        """A random block width that this gripper can take, m."""
        side = self.rng.uniform(*SIDE_M)
        return float(min(side, LARGEST_OF_GRIPPER * self.scene.robot.gripper.max_width_m))

    def block_size(self, shape: str) -> tuple[float, float, float]:
        """Random extents of a cube, cylinder or brick, m."""
        side = self.side()
        ratios = {"cube": (1.0, 1.0, 1.0), "cylinder": (1.0, 1.0, 1.2), "brick": (1.7, 1.0, 0.9)}[shape]
        return ratios[0] * side, ratios[1] * side, ratios[2] * side

    def block(self, name: str, *, size: Sequence[float] | None = None, xy: np.ndarray | None = None) -> Entity:
        """A loose block called by its colour and shape ("red cube"), at a free place unless `xy` is given."""
        colour, shape = name.split()
        size = self.block_size(shape) if size is None else size
        radius = float(np.hypot(size[0], size[1])) / 2
        xy = self.layout.draw(radius, self.finger_gap_m) if xy is None else xy
        rgb = np.clip(np.array(COLOURS[colour]) * self.rng.uniform(0.85, 1.1), 0, 1)
        yaw = self.rng.uniform(-np.pi, np.pi)
        return self.scene.add(
            add_block(self.scene.spec, name, shape=shape, size=size, rgb=rgb, xy=xy, yaw_rad=yaw, colour=colour)
        )

    def distractor_blocks(self, names: Iterable[str]) -> None:
        """Blocks that no goal needs, as many as the table has room for."""
        for name in names:
            size = self.block_size(name.split()[1])
            xy = self.layout.find(float(np.hypot(size[0], size[1])) / 2, self.finger_gap_m)
            if xy is None:
                return
            self.block(name, size=size, xy=xy)

    def distractor_bins(self, names: Iterable[str]) -> None:
        """Bins that no goal needs, as many as the table has room for."""
        for name in names:
            extents = self.bin_extents(BIN_M)
            xy = self.layout.find(float(np.hypot(*extents[:2])) / 2)
            if xy is None:
                return
            self.bin(name, xy=xy)

    def distant_block(self, name: str) -> Entity:
        """A block that lies in sight and out of reach."""
        space = self.scene.robot.workspace
        angle, reach = self.rng.uniform(-0.4, 0.4), OUT_OF_REACH * space.reach_max_m
        return self.block(name, xy=reach * np.array([np.cos(angle), np.sin(angle)]))

    def bin(self, name: str, *, size: Sequence[float] = BIN_M, xy: np.ndarray | None = None) -> Entity:
        """An open box called by its colour ("blue bin"), facing the robot, at a free place unless `xy` is given."""
        extents = self.bin_extents(size)
        xy = self.layout.draw(float(np.hypot(*extents[:2])) / 2) if xy is None else xy
        colour, yaw = name.split()[0], float(np.arctan2(xy[1], xy[0]))
        return self.scene.add(
            add_bin(self.scene.spec, name, size=extents, rgb=COLOURS[colour], xy=xy, yaw_rad=yaw, colour=colour)
        )

    def bin_extents(self, size: Sequence[float] = BIN_M) -> np.ndarray:
        """(3,) outside of a bin of that reference size for this robot, m."""
        return np.array(size) * max(self.scene.scale, SMALLEST_BIN)

    @property
    def finger_gap_m(self) -> float:
        """Free space that a finger needs beside a thing."""
        return finger_gap_m(self.scene.robot)


def draw_names(
    rng: np.random.Generator, n: int, *, include: Collection[str] = (), exclude: Collection[str] = (),
    shapes: Sequence[str] = SHAPES,
) -> list[str]:
    """n different names such as "red cube", those of `include` among them and none of `exclude`, in random order."""
    every = [f"{colour} {shape}" for colour in COLOURS for shape in shapes]
    free = [name for name in every if name not in include and name not in exclude]
    drawn = [*include, *rng.choice(free, size=max(0, n - len(include)), replace=False)]
    return [str(name) for name in rng.permutation(drawn)]
