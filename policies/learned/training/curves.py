"""Curves of a training: a CSV that grows, and a picture of it."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np

FILE, PICTURE = "curves.csv", "curves.png"
_WIDTH, _HEIGHT, _LEFT, _GAP = 760, 130, 90, 34
_INK, _LINE, _FRAME = (60, 60, 60), (178, 102, 31), (210, 210, 210)


class Curves:
    """See the module.

    Args:
        folder: where both go; a CSV that is there is gone on from.
        until: steps after this one are forgotten: they will be taken again.
    """

    def __init__(self, folder: Path, until: int = 0):
        self._folder, self._rows = folder, []
        path = folder / FILE
        if path.exists():
            with path.open(newline="", encoding="utf-8") as stream:
                rows = [(int(step), name, float(value)) for step, name, value in csv.reader(stream)]
            self._rows = [row for row in rows if row[0] <= until]
        with path.open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows(self._rows)

    def add(self, step: int, figures: Mapping[str, float]) -> None:
        """Write figures down."""
        rows = [(step, name, value) for name, value in figures.items()]
        self._rows += rows
        with (self._folder / FILE).open("a", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows(rows)

    def curves(self) -> dict[str, np.ndarray]:
        """(N, 2) steps and values, by name."""
        names = dict.fromkeys(name for _, name, _ in self._rows)
        return {name: np.array([(step, value) for step, of, value in self._rows if of == name]) for name in names}

    def draw(self) -> None:
        """The picture: a panel for each curve."""
        curves = self.curves()
        if not curves:
            return
        height = 10 + len(curves) * (_HEIGHT + _GAP)
        picture = np.full((height, _LEFT + _WIDTH + 20, 3), 255, np.uint8)
        for number, (name, points) in enumerate(curves.items()):
            _panel(picture, 24 + number * (_HEIGHT + _GAP), name, points)
        cv2.imwrite(str(self._folder / PICTURE), picture)


def _panel(picture: np.ndarray, top: int, name: str, points: np.ndarray) -> None:
    steps, values = points.T
    low, high = float(values.min()), float(values.max())
    x = _LEFT + steps / max(steps.max(), 1) * _WIDTH
    y = top + _HEIGHT - (values - low) / max(high - low, 1e-9) * _HEIGHT
    cv2.rectangle(picture, (_LEFT, top), (_LEFT + _WIDTH, top + _HEIGHT), _FRAME, 1)
    cv2.polylines(picture, [np.stack([x, y], 1).round().astype(np.int32)], False, _LINE, 1, cv2.LINE_AA)
    for text, at in (
        (f"{name}: {values[-1]:.4g}", (_LEFT, top - 6)), (f"{high:.4g}", (6, top + 12)),
        (f"{low:.4g}", (6, top + _HEIGHT)), (f"step {int(steps[-1])}", (_LEFT + _WIDTH - 100, top + _HEIGHT + 14)),
    ):
        cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.42, _INK, 1, cv2.LINE_AA)
