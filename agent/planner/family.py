"""What differs between families of open models, as data: one frozen descriptor each, found by model type.

A checkpoint's `config.json` names its `model_type`; nothing is ever guessed from a repository's name. Points are the
usual trap: every family writes them in its own frame, and a wrong frame looks right and grasps beside the thing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any


class Frame(StrEnum):
    """In what a family writes image coordinates, x before y."""

    THOUSANDTHS = "thousandths"  # 0 to 1000 across the image, whatever its size
    RESIZED_PIXELS = "resized_pixels"  # pixels of the image after the family's own resizing


def as_given(width: int, height: int) -> tuple[int, int]:
    """The resize rule of a family whose points do not depend on the size of the image."""
    return width, height


@dataclass(frozen=True)
class Family:
    """One family of checkpoints.

    Attributes:
        name: as people say it, "Qwen3-VL".
        maker: who trains it.
        model_types: of `config.json`.
        sees: takes pictures; a family that does not plans from the scene written out by another model.
        frame: of the points it writes and reads.
        system_turn: has a system turn in its chat template; else the system text opens the user's turn.
        think: the words that open and close its thinking, None if it never thinks aloud. The first token of the closing
            words ends the thinking; the rest of them leads over to the answer.
        think_option: argument of its chat template that switches thinking on and off, None if it has none.
        think_values: what that argument is to think, and not to.
        plain_opening: words that open an answer without thoughts and that its chat template does not write.
        template_options: further arguments of its chat template.
        resize: width and height of a picture after its resizing, where no image processor is at hand (a server).
        prefix_reuse: the keys and values of the system text may serve several questions.
    """

    name: str
    maker: str
    model_types: tuple[str, ...]
    sees: bool = True
    frame: Frame = Frame.THOUSANDTHS
    system_turn: bool = True
    think: tuple[str, str] | None = None
    think_option: str | None = None
    think_values: tuple[Any, Any] = (True, False)
    plain_opening: str = ""
    template_options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    resize: Callable[[int, int], tuple[int, int]] = as_given
    prefix_reuse: bool = True

    def template_arguments(self, *, thinking: bool) -> dict[str, Any]:
        """What its chat template is told, to think or not to."""
        switch = {self.think_option: self.think_values[0 if thinking else 1]} if self.think_option else {}
        return {**self.template_options, **switch}

    def write_point(self, u: float, v: float, size: tuple[int, int], resized: tuple[int, int]) -> tuple[int, int]:
        """How the model writes a pixel.

        Args:
            u: pixels from the left edge of the camera's image.
            v: pixels from its top edge.
            size: width and height of the camera's image.
            resized: width and height after the family's own resizing.
        """
        across = (1000, 1000) if self.frame is Frame.THOUSANDTHS else resized
        x, y = round(u / size[0] * across[0]), round(v / size[1] * across[1])
        return min(max(x, 0), across[0] - 1), min(max(y, 0), across[1] - 1)

    def read_point(self, x: float, y: float, size: tuple[int, int], resized: tuple[int, int]) -> tuple[float, float]:
        """The pixel (u, v) of the camera's image that the model means; inverse of `write_point`."""
        across = (1000, 1000) if self.frame is Frame.THOUSANDTHS else resized
        return x / across[0] * size[0], y / across[1] * size[1]
