"""Curves over time as one SVG: a panel for each joint, nothing to install and nothing to load."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tandem.bridge.log.atomic import replacing

WIDTH, HEIGHT, LEFT, GAP = 900, 120, 60, 34


class Curve(NamedTuple):
    """One line: its name, (T,) values, and colour."""

    name: str
    values: np.ndarray
    colour: str


def write_plots(path: Path, times: np.ndarray, panels: Sequence[tuple[str, Sequence[Curve]]]) -> None:
    """Write the panels, one below the other, over the same times (T,) in s."""
    height = 40 + len(panels) * (HEIGHT + GAP)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH + LEFT + 20}" height="{height}" '
             'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>']
    parts += _legend(panels[0][1])
    for number, (title, curves) in enumerate(panels):
        parts += _panel(40 + number * (HEIGHT + GAP), title, times, curves)
    with replacing(path) as draft:
        draft.write_text("\n".join([*parts, "</svg>"]), encoding="utf-8")


def _legend(curves: Sequence[Curve]) -> list[str]:
    return [f'<text x="{LEFT + 110 * i}" y="20" fill="{curve.colour}">{escape(curve.name)}</text>'
            for i, curve in enumerate(curves)]


def _panel(top: int, title: str, times: np.ndarray, curves: Sequence[Curve]) -> list[str]:
    every = np.concatenate([curve.values for curve in curves])
    low, high = float(every.min()), float(every.max())
    room = max(high - low, 1e-3)
    x = LEFT + (times - times[0]) / max(times[-1] - times[0], 1e-9) * WIDTH
    parts = [f'<rect x="{LEFT}" y="{top}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#dadce0"/>',
             f'<text x="{LEFT}" y="{top - 5}">{escape(title)}</text>',
             f'<text x="4" y="{top + 12}">{high:.3f}</text>', f'<text x="4" y="{top + HEIGHT}">{low:.3f}</text>',
             f'<text x="{LEFT + WIDTH - 50}" y="{top + HEIGHT + 14}">{times[-1]:.1f} s</text>']
    for curve in curves:
        y = top + HEIGHT - (curve.values - low) / room * HEIGHT
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{curve.colour}" stroke-width="1.3"/>')
    return parts
