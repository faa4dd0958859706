"""One thing in one look: its region, what it is recognised as, and whether that is what the words mean."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from tandem.bridge.contract import SkillFailed, Target
from tandem.policies.motion.targets import colours
from tandem.policies.motion.targets.handle import with_outward
from tandem.policies.motion.targets.hollow import recognise_hollow, recognise_mouth
from tandem.policies.motion.targets.outline import Outline
from tandem.policies.motion.targets.region import Region, grow, window
from tandem.policies.motion.targets.solid import Form, recognise
from tandem.policies.motion.targets.view import View

_HOLES = ("hole", "socket")  # what a peg goes into: its mouth counts, not its bottom
_CONTAINERS = (*_HOLES, "bin", "box", "slot", "tray", "pocket", "fixture", "drawer", "bowl", "basket")
_HOLLOW = ("slot", "drawer")  # of these nothing but the inside is ever meant
_SHAPES = {  # by word: form, least and greatest length to width
    "cube": ((Form.BOX, 1.0, 1.35),),
    "cylinder": ((Form.ROUND, 1.0, 1.35), (Form.ROUNDED, 1.0, 2.2)),
    "brick": ((Form.BOX, 1.3, np.inf),),
}
_COLOURED = 0.08  # share of a thing's pixels that have the colour by which it is called
_TABLE_M, _LARGEST_M = 0.004, 0.25  # a level region of this height and size is the table
_FEWEST = 20  # pixels of one colour
_AROUND = np.arange(8) * np.pi / 4
_BESIDE = np.concatenate([  # (row, column) of where to look beside a pixel, the nearest first
    np.round(radius * np.stack([np.sin(_AROUND), np.cos(_AROUND)], 1)).astype(int) for radius in (4, 8)
])


@dataclass(frozen=True, eq=False)
class Glimpse:
    """See the module.

    Attributes:
        target: what it is recognised as.
        region: its pixels.
        view: the look.
        words: what it is called.
        form: what it looks like from above.
    """

    target: Target
    region: Region
    view: View
    words: str
    form: Form

    @classmethod
    def at(cls, view: View, pixel: tuple[int, int], words: str, outline: Outline) -> Glimpse | None:
        """What a pixel (row, column) shows; None where the robot hides it or too little is seen."""
        rows, columns = window(view, *pixel)
        robot = outline.hides(view, rows, columns)
        if robot[pixel[0] - rows.start, pixel[1] - columns.start]:
            return None
        region = grow(view, *pixel, robot)
        if any(word in words for word in _HOLES):
            mouth = recognise_mouth(view, *pixel, robot)
            if mouth is not None:
                return cls(mouth, region, view, words, Form.CONTAINER)
        try:
            target, form = recognise(region)
        except SkillFailed:
            return None
        hollow = None if form is Form.CONTAINER else recognise_hollow(view, *pixel, robot)
        if hollow is not None:
            return cls(hollow, region, view, words, Form.CONTAINER)
        return cls(with_outward(target, region.around), region, view, words, form)

    @classmethod
    def near(cls, view: View, pixel: tuple[int, int], words: str, outline: Outline) -> Glimpse | None:
        """What a pixel shows, or, where that is nothing that the words can mean, what lies right beside it.

        Who points may be off by a few pixels, and then beside a small thing, behind a handle, or on the wall of a slot.
        """
        found = cls.at(view, pixel, words, outline)
        if found is not None and found.may_be_meant():
            return found
        height, width = view.depth.shape
        for row, column in np.array(pixel) + _BESIDE:
            if 0 <= row < height and 0 <= column < width:
                beside = cls.at(view, (int(row), int(column)), words, outline)
                if beside is not None and beside.may_be_meant() and beside.fits():
                    return beside
        return found

    def may_be_meant(self) -> bool:
        """Whether it is of the kind that the words name: a handle can be pulled, slots and open drawers are hollow."""
        if "handle" in self.words:
            return bool(np.any(self.target.outward))
        return not self.is_table and (self.form is Form.CONTAINER or not any(word in self.words for word in _HOLLOW))

    @staticmethod
    def centres(view: View, mask: np.ndarray) -> list[tuple[int, int]]:
        """(row, column) well inside each connected part of a mask (H, W) that lies above the table."""
        mask = mask & (view.points[..., 2] > _TABLE_M)
        count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
        depths = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3)
        found = []
        for label in range(1, count):
            if stats[label, cv2.CC_STAT_AREA] >= _FEWEST:
                deepest = int(np.argmax(np.where(labels == label, depths, -1.0)))
                found.append((deepest // mask.shape[1], deepest % mask.shape[1]))
        return found

    @property
    def hidden(self) -> float:
        """Share of its border behind the robot; all of it when what is seen has not the shape that the words name."""
        return self.region.hidden if self._has_shape() else 1.0

    def fits(self) -> bool:
        """Whether it can be what the words mean: neither the table nor of another colour, kind or shape."""
        return self.fits_colour() and self._has_shape()

    def fits_colour(self) -> bool:
        """The same, whatever its shape: part of it may be hidden."""
        if self.is_table:
            return False
        name = colours.named_in(self.words)
        if name is None or any(word in self.words for word in _CONTAINERS):
            return True
        pixels = self.view.rgb[self.region.pixels[:, 0], self.region.pixels[:, 1]]
        return bool(colours.has_colour(pixels, name).mean() >= _COLOURED and self.form is not Form.CONTAINER)

    def _has_shape(self) -> bool:
        """It has the shape that the words name, if they name one."""
        ratio = float(self.target.size[0] / max(self.target.size[1], 1e-3))
        word = next((word for word in _SHAPES if word in self.words), None)
        return word is None or any(form is self.form and low <= ratio <= high for form, low, high in _SHAPES[word])

    @property
    def is_table(self) -> bool:
        """It is no thing but the bare table."""
        flat = self.target.rim_z_m < _TABLE_M
        return bool(flat and max(self.target.size[:2]) > _LARGEST_M)
