"""What is written under a film: the subgoal, how it stands, and the body's time; at the end, the verdict."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from tandem.bridge.log import marks as marks_
from tandem.bridge.log import typography as type_
from tandem.bridge.log.marks import Marks


class CaptionState(StrEnum):
    """How the subgoal stands."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


_COLOURS = {
    CaptionState.RUNNING: type_.ACTIVE, CaptionState.DONE: type_.GOOD, CaptionState.FAILED: type_.BAD,
}


@dataclass(frozen=True)
class Caption:
    """One line under a picture.

    Attributes:
        text: the subgoal in plain words.
        state: how it stands.
        time_s: body time.
        place: which one it is, such as "2/5"; may be empty.
        phase: what the policy is doing, in a word; may be empty.
    """

    text: str
    state: CaptionState
    time_s: float
    place: str = ""
    phase: str = ""


@dataclass(frozen=True)
class Closing:
    """The last picture of a film: a headline ("Done", "Failed: GRASP_FAILED"), the marks, and a reason in words.

    `good` says whether that is a success where the marks alone do not tell: a rightful refusal claims nothing.
    """

    title: str
    marks: Marks
    detail: str = ""
    good: bool | None = None

    @property
    def colour(self) -> type_.Colour:
        """Of the headline."""
        return self.marks.colour if self.good is None else (type_.BAD, type_.GOOD)[self.good]


def bar_height(height: int) -> int:
    """Pixels that a caption adds below a picture of that height; the sum is even, as video wants it."""
    bar = max(40, round(height * 0.11))
    return bar + (height + bar) % 2


def captioned(frame: np.ndarray, caption: Caption) -> np.ndarray:
    """A new picture: `frame` uint8 (H, W, 3) with a bar below it, even in both sizes."""
    canvas = _framed(frame)
    top, colour = len(frame), _COLOURS[CaptionState(caption.state)]
    bar, wide = len(canvas) - top, canvas.shape[1]
    size, pad = round(bar * 0.36), round(bar * 0.4)
    baseline = top + round(bar / 2 + 0.36 * size) + 1
    canvas[top : top + 2] = colour
    right = f"{caption.time_s:.1f} s"
    edge = wide - pad - type_.width("000.0 s", size)
    type_.write(canvas, right, (wide - pad - type_.width(right, size), baseline), size, type_.MUTED)
    if caption.phase and wide > 400:
        edge -= type_.width(caption.phase, size) + pad
        type_.write(canvas, caption.phase, (edge, baseline), size, type_.MUTED)
    type_.dot(canvas, (pad + 0.3 * size, top + bar / 2 + 1), 0.32 * size, colour)
    x = pad + round(1.1 * size)
    if caption.place:
        x = type_.write(canvas, caption.place, (x, baseline), size, type_.MUTED) + round(0.6 * size)
    text = type_.fit(caption.text, edge - x - pad, size, type_.SEMIBOLD)
    type_.write(canvas, text, (x, baseline), size, type_.INK, type_.SEMIBOLD)
    return canvas


def closed(frame: np.ndarray, closing: Closing) -> np.ndarray:
    """A new picture of the size that `captioned` gives: `frame` darkened, with the verdict on it."""
    canvas = _framed((frame * 0.28 + np.array(type_.NIGHT) * 0.4).astype(np.uint8))
    high, wide = canvas.shape[:2]
    size = max(12, round(min(high * 0.045, wide * 0.036)))
    room, middle = wide - 2 * size, high // 2

    def centred(text: str, y: int, size: int, colour: type_.Colour, weight: int) -> None:
        text = type_.fit(text, room, size, weight)
        type_.write(canvas, text, ((wide - type_.width(text, size, weight)) // 2, y), size, colour, weight)

    centred(closing.title, middle - round(1.1 * size), round(1.9 * size), closing.colour, type_.SEMIBOLD)
    marks_.draw(canvas, ((wide - marks_.width(size)) // 2, middle + round(1.2 * size)), size, closing.marks)
    if closing.detail:
        centred(closing.detail, middle + round(3.4 * size), round(0.9 * size), type_.INK, type_.REGULAR)
    return canvas


def _framed(frame: np.ndarray) -> np.ndarray:
    high, wide = frame.shape[:2]
    canvas = np.full((high + bar_height(high), wide + wide % 2, 3), type_.NIGHT, np.uint8)
    canvas[:high, :wide] = frame
    return canvas
