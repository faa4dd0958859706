"""Makes a film and a contact sheet from a log alone: from its states, rendered anew, or from the images in it.

Nothing is rendered for people while the episode runs; the log holds the model and every state.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from tandem.bridge.log import LogReader
from tandem.bridge.log.captions import Caption, CaptionState, Closing
from tandem.bridge.log.contact_sheet import Tile, write_contact_sheet
from tandem.bridge.log.film import write_film
from tandem.bridge.log.marks import Marks
from tandem.sim.cameras import FINE, Quality
from tandem.sim.replay import frames, load_model

FILM_HZ, FILM_SIZE, FILM_QUALITY = 10.0, (640, 480), Quality(shadow_size=1024, samples=0, sky=True)
SHEET_SIZE, SHEET_TILES = (640, 480), 12
CAMERA = "spectator"


def write_pictures(log: Path, terminal: Console) -> None:
    """Write NAME.mp4 and NAME.png beside NAME.mcap, and say where everything is."""
    reader = LogReader(log)
    times, states = reader.states()
    model = load_model(reader.model()[1])
    spans = _spans(reader)
    step = max(1, round(reader.spec.control_hz / FILM_HZ))
    shown = range(0, len(times), step)
    pictures = track(
        frames(model, states[::step], CAMERA, *FILM_SIZE, FILM_QUALITY), "film", len(shown), transient=True, console=terminal
    )
    captions = [_caption(spans, reader.manifest["instruction"], times[k]) for k in shown]
    film, sheet = log.with_suffix(".mp4"), log.with_suffix(".png")
    write_film(film, pictures, captions, reader.spec.control_hz / step, closing=_closing(reader))
    _write_sheet(sheet, reader, spans, times, lambda rows: frames(model, states[rows], CAMERA, *SHEET_SIZE, FINE))
    terminal.print(f"[dim]log[/]    {log}\n[dim]film[/]   {film}\n[dim]sheet[/]  {sheet}", soft_wrap=True)


def _spans(reader: LogReader) -> list[dict[str, Any]]:
    """Every attempt with its instruction, start, end and marks."""
    spans = []
    for number, attempt in enumerate(reader.attempts, 1):
        subgoal = attempt["subgoal"]
        seen = attempt["seen"]
        spans.append({
            "words": subgoal["instruction"] or subgoal["skill"], "start": attempt["start_s"], "end": attempt["end_s"],
            "failure": attempt["failure"], "place": f"{number}/{len(reader.attempts)}",
            "marks": Marks(
                attempt["claimed"], None if seen is None else {"success": True, "failure": False}.get(seen["outcome"]),
                attempt["measured"],
            ),
        })
    return spans


def _caption(spans: list[dict[str, Any]], instruction: str, time_s: float) -> Caption:
    """What is written under the frame of a moment."""
    index = bisect_right([span["start"] for span in spans], time_s + 1e-6) - 1
    if index < 0:
        return Caption(instruction, CaptionState.RUNNING, time_s)
    span = spans[index]
    state = CaptionState.RUNNING
    if time_s >= span["end"] - 0.3:
        state = CaptionState.FAILED if span["failure"] else CaptionState.DONE
    return Caption(span["words"], state, time_s, span["place"])


def _verdict(reader: LogReader) -> tuple[str, Marks, str]:
    result = reader.result or {}
    marks = Marks(result.get("claimed"), result.get("seen"), result.get("measured"))
    if result.get("infeasible"):
        return "Cannot be done", marks, result["reason"]
    if result.get("failure"):
        return f"Failed: {result['failure']}", marks, result["reason"]
    return ("Done" if result.get("measured", True) else "Claimed, but not true"), marks, reader.manifest["instruction"]


def _closing(reader: LogReader) -> Closing:
    title, marks, detail = _verdict(reader)
    return Closing(title, marks, detail)


def _write_sheet(path: Path, reader: LogReader, spans: list[dict[str, Any]], times: np.ndarray, render: Any) -> None:
    """One tile for the start and for the end of each of the last attempts."""
    manifest, spans = reader.manifest, spans[-(SHEET_TILES - 1):]
    rows = [0, *(int(np.clip(np.searchsorted(times, span["end"]), 0, len(times) - 1)) for span in spans)]
    pictures: Iterator[np.ndarray] = render(rows)
    tiles = [Tile(next(pictures), "at the start", Marks(None, None, None))]
    for span, picture in zip(spans, pictures, strict=True):
        note = span["failure"] or f"{span['end'] - span['start']:.1f} s"
        tiles.append(Tile(picture, span["words"], span["marks"], note))
    title, marks, detail = _verdict(reader)
    system = manifest.get("system", {})
    subtitle = f"{system.get('task', '')} · {manifest['robot']} · seed {manifest.get('seed')} · {system.get('planner')} · {system.get('policy')}"
    footer = title if detail == manifest["instruction"] else f"{title}: {detail}"
    write_contact_sheet(path, tiles, manifest["instruction"], f"{footer}, {times[-1]:.1f} s", marks, subtitle=subtitle)
