"""Makes a film and a contact sheet from a log alone: its states are rendered anew, nothing is drawn while it runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

from tandem.bridge.log import LogReader
from tandem.bridge.log.contact_sheet import write_contact_sheet
from tandem.bridge.log.film import write_film
from tandem.bridge.log.storyboard import Storyboard
from tandem.sim.cameras import FINE, Quality
from tandem.sim.replay import frames, load_model

CAMERA, SIZE = "spectator", (640, 480)
FILM_HZ, FILM_QUALITY = 10.0, Quality(shadow_size=1024, samples=0, sky=True)


def write_pictures(log: Path, terminal: Console) -> None:
    """Write NAME.mp4 and NAME.png beside NAME.mcap, and say where they are.

    A log of a body behind the bridge holds no states to render: its sheet shows what the cameras showed, and there is
    no film.
    """
    reader = LogReader(log)
    if reader.manifest["model"] is None:
        _write_seen(reader, log, terminal)
    else:
        _write_rendered(reader, log, terminal)


def _write_seen(reader: LogReader, log: Path, terminal: Console) -> None:
    pictures = reader.images(reader.cameras[0]) if reader.cameras else ()
    seen = [(picture.time_s, picture.array) for picture in pictures]
    sheet, board = log.with_suffix(".png"), Storyboard(reader)
    if not seen:
        return
    times = np.array([time_s for time_s, _ in seen])

    def still(time_s: float) -> np.ndarray:
        return seen[int(np.argmin(np.abs(times - time_s)))][1]

    tiles = board.tiles(still, float(times[-1]))
    write_contact_sheet(sheet, tiles, board.instruction, board.closing, subtitle=_subtitle(reader))
    terminal.print(f"[dim]sheet[/]  {sheet}", soft_wrap=True)


def _write_rendered(reader: LogReader, log: Path, terminal: Console) -> None:
    board, (times, states), model = Storyboard(reader), reader.states(), load_model(reader.model()[1])
    step = max(1, round(reader.spec.control_hz / FILM_HZ))
    film, sheet = log.with_suffix(".mp4"), log.with_suffix(".png")

    moving: Iterator[np.ndarray] = frames(model, states[::step], CAMERA, *SIZE, FILM_QUALITY)
    shown = track(moving, "film", len(times[::step]), transient=True, console=terminal)
    captions = [board.caption(time_s) for time_s in times[::step]]
    write_film(film, shown, captions, reader.spec.control_hz / step, closing=board.closing)

    def still(time_s: float) -> np.ndarray:
        row = min(int(np.searchsorted(times, time_s)), len(times) - 1)
        return next(frames(model, states[row : row + 1], CAMERA, *SIZE, FINE))

    tiles = board.tiles(still, float(times[-1]))
    write_contact_sheet(sheet, tiles, board.instruction, board.closing, subtitle=_subtitle(reader))
    terminal.print(f"[dim]film[/]   {film}\n[dim]sheet[/]  {sheet}", soft_wrap=True)


def _subtitle(reader: LogReader) -> str:
    manifest, system = reader.manifest, reader.manifest["system"]
    words = (
        system["task"], manifest["robot"], f"seed {manifest['seed']}", f"{system['planner']} planner",
        f"{system['policy']} policy",
    )
    return " · ".join(words)
