"""A camera's picture as a family of models addresses it: pixels of the camera to numbers in an answer and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tandem.agent.planner.family import Family, Frame
from tandem.bridge.contract import CameraPoint, PlannerFailed

_FRAMES = {
    Frame.THOUSANDTHS: (
        "Points are [x, y] in thousandths of the picture: x from 0 at the left edge to 1000 at the right edge, "
        "y from 0 at the top to 1000 at the bottom."
    ),
    Frame.RESIZED_PIXELS: (
        "Points are [x, y] in pixels of the picture, which is {width} wide and {height} high: x from the left edge, "
        "y from the top."
    ),
}


@dataclass(frozen=True)
class Canvas:
    """Writes and reads the points of one camera's picture.

    Attributes:
        family: whose frame is used.
        camera: its name.
        size: width and height of the camera's image, pixels.
        resized: width and height after the family's own resizing (`Model.resized`).
    """

    family: Family
    camera: str
    size: tuple[int, int]
    resized: tuple[int, int]

    @property
    def largest(self) -> tuple[int, int]:
        """The largest x and y that can be written."""
        return self.family.write_point(*self.size, self.size, self.resized)

    @property
    def words(self) -> str:
        """The frame of points, for a prompt."""
        return _FRAMES[self.family.frame].format(width=self.resized[0], height=self.resized[1])

    def write(self, point: CameraPoint) -> list[int]:
        """[x, y] as the model writes it."""
        return list(self.family.write_point(point.u, point.v, self.size, self.resized))

    def read(self, written: Sequence[int]) -> CameraPoint:
        """The camera point that [x, y] means, or `PlannerFailed` if it is none or lies outside of the picture."""
        whole = isinstance(written, (list, tuple)) and len(written) == 2 and all(type(n) is int for n in written)
        if not whole or not all(0 <= n <= most for n, most in zip(written, self.largest, strict=True)):
            x, y = self.largest
            raise PlannerFailed(f"{str(written)[:80]} is no point: expected [x, y], whole numbers up to {x} and {y}")
        return CameraPoint(self.camera, *self.family.read_point(*written, self.size, self.resized))
