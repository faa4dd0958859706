"""An episode on one picture: a tile for each subgoal, the instruction above, the result below."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from tandem.bridge.contract.errors import LogUnwritable
from tandem.bridge.log import marks as marks_
from tandem.bridge.log import typography as type_
from tandem.bridge.log.atomic import replacing
from tandem.bridge.log.captions import Closing
from tandem.bridge.log.marks import Marks

_HEADERS = (28, 24, 21, 18, 16)  # sizes of the instruction: the largest that fits
_MARGIN, _GAP, _WIDE, _PAD, _TEXT, _LINE, _HEAD = 36, 20, 400, 16, 92, 26, 104


@dataclass(frozen=True, eq=False)
class Tile:
    """One subgoal.

    Attributes:
        frame: uint8 (H, W, 3) RGB, the picture at its end.
        title: the subgoal in words.
        marks: claimed, seen, measured.
        note: a few words at the right, such as "12.4 s"; may be empty.
        failure: a line of its own below, its code first; may be empty.
    """

    frame: np.ndarray
    title: str
    marks: Marks
    note: str = ""
    failure: str = ""


def contact_sheet(tiles: Sequence[Tile], header: str, closing: Closing, *, subtitle: str = "") -> np.ndarray:
    """The sheet as uint8 (H, W, 3) RGB.

    Args:
        tiles: one for each subgoal, in order; at least one.
        header: the instruction.
        closing: the result, in words and marks.
        subtitle: a small line above the header (task, robot, seed).
    """
    if not tiles:
        raise LogUnwritable("a contact sheet needs at least one tile")
    columns = min(len(tiles), max(2, min(4, math.ceil(math.sqrt(len(tiles))))))
    rows = math.ceil(len(tiles) / columns)
    ratio = max(tile.frame.shape[0] / tile.frame.shape[1] for tile in tiles)
    words = _TEXT + _LINE * any(tile.failure for tile in tiles)
    high = round(_WIDE * ratio) + words
    inner = max(columns * (_WIDE + _GAP) - _GAP, 2 * _WIDE + _GAP)
    sheet = np.full((2 * _HEAD + rows * (high + _GAP) - _GAP, inner + 2 * _MARGIN, 3), type_.NIGHT, np.uint8)
    _draw_header(sheet, header, subtitle)
    left = (sheet.shape[1] - (columns * (_WIDE + _GAP) - _GAP)) // 2
    for number, tile in enumerate(tiles):
        y, x = _HEAD + number // columns * (high + _GAP), left + number % columns * (_WIDE + _GAP)
        _draw_tile(sheet[y : y + high, x : x + _WIDE], tile, words)
    _draw_footer(sheet[-_HEAD:], closing)
    return sheet


def write_contact_sheet(
    path: Path | str, tiles: Sequence[Tile], header: str, closing: Closing, *, subtitle: str = ""
) -> None:
    """Write the sheet as a PNG, whole or not at all; raises `LogUnwritable`."""
    sheet = contact_sheet(tiles, header, closing, subtitle=subtitle)
    _, data = cv2.imencode(".png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    with replacing(Path(path)) as part:
        part.write_bytes(data.tobytes())


def _draw_header(sheet: np.ndarray, header: str, subtitle: str) -> None:
    room = sheet.shape[1] - 2 * _MARGIN
    if subtitle:
        type_.write(sheet, type_.fit(subtitle, room, 15), (_MARGIN, 38), 15, type_.MUTED)
    size = next((size for size in _HEADERS if type_.width(header, size, type_.SEMIBOLD) <= room), _HEADERS[-1])
    header = type_.fit(header, room, size, type_.SEMIBOLD)
    type_.write(sheet, header, (_MARGIN, 76 if subtitle else 62), size, type_.INK, type_.SEMIBOLD)


def _draw_tile(card: np.ndarray, tile: Tile, high: int) -> None:
    card[:] = type_.CARD
    place = card[: len(card) - high]
    scale = min(_WIDE / tile.frame.shape[1], len(place) / tile.frame.shape[0])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    picture = cv2.resize(np.ascontiguousarray(tile.frame), None, fx=scale, fy=scale, interpolation=how)
    y, x = (len(place) - len(picture)) // 2, (_WIDE - picture.shape[1]) // 2
    place[y : y + len(picture), x : x + picture.shape[1]] = picture
    card[len(place) : len(place) + 3] = tile.marks.colour
    words = np.ascontiguousarray(card[len(place) + 3 :])
    title = type_.fit(tile.title, _WIDE - 2 * _PAD, 18, type_.SEMIBOLD)
    type_.write(words, title, (_PAD, 36), 18, type_.INK, type_.SEMIBOLD)
    end = marks_.draw(words, (_PAD, 67), 14, tile.marks)
    note = type_.fit(tile.note, _WIDE - _PAD - end - 12, 14)
    type_.write(words, note, (_WIDE - _PAD - type_.width(note, 14), 67), 14, type_.MUTED)
    type_.write(words, type_.fit(tile.failure, _WIDE - 2 * _PAD, 14), (_PAD, 67 + _LINE), 14, type_.MUTED)
    card[len(place) + 3 :] = words


def _draw_footer(strip: np.ndarray, closing: Closing) -> None:
    canvas = np.ascontiguousarray(strip)
    wide, start = canvas.shape[1], canvas.shape[1] - _MARGIN - marks_.width(16)
    canvas[24, _MARGIN : wide - _MARGIN] = type_.RULE
    title = type_.fit(closing.title, start - _MARGIN - 24, 20, type_.SEMIBOLD)
    type_.write(canvas, title, (_MARGIN, 56), 20, closing.colour, type_.SEMIBOLD)
    type_.write(canvas, type_.fit(closing.detail, wide - 2 * _MARGIN, 15), (_MARGIN, 84), 15, type_.MUTED)
    marks_.draw(canvas, (start, 55), 16, closing.marks)
    strip[:] = canvas
