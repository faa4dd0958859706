"""Film strips: a few of a log's own pictures, at the moments that tell the story, as small JPEGs in the page."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from tandem.agent.evaluation.report.story import Story, reading
from tandem.bridge.contract import EventKind
from tandem.bridge.log import LogReader

WIDTH, QUALITY = 320, 70
BEFORE_S = 1.0  # another picture so long before the end
ENDS, WRONG, STRUCK, DONE = range(4)  # ranks


@dataclass(frozen=True)
class Frame:
    """One picture: when it was taken, what it shows, whether that went wrong, and the JPEG as a data URI."""

    time_s: float
    words: str
    wrong: bool
    uri: str
    width: int
    height: int


@dataclass(frozen=True)
class Moment:
    """A body time worth a picture; the smaller `rank` is, the sooner it gets one."""

    rank: int
    time_s: float
    words: str


def data_uri(image: np.ndarray, width: int = WIDTH) -> tuple[str, int, int]:
    """A JPEG of uint8 (H, W, 3) RGB, at most that wide, and its width and height."""
    scale = min(1.0, width / image.shape[1])
    size = round(image.shape[1] * scale), max(1, round(image.shape[0] * scale))
    small = cv2.resize(np.ascontiguousarray(image), size, interpolation=cv2.INTER_AREA)
    options = [cv2.IMWRITE_JPEG_QUALITY, QUALITY, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    _, data = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), options)
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode(), *size


def film_strip(log: LogReader, story: Story, frames: int) -> list[Frame]:
    """At most `frames` pictures in the order of time: the first, failures, disturbances, ends of subgoals, the last two.

    Each is the picture nearest to its moment, of the body's first camera that was looked through; none when no
    picture was kept. Holds no more pictures in memory than it returns. Raises `LogUnreadable`.
    """
    with reading(log.path):
        camera = _camera(log)
        if camera is None:
            return []
        best: dict[Moment, tuple[float, float, np.ndarray]] = {}
        moments = _moments(story, frames)
        for picture in log.images(camera):
            for moment in moments:
                distance = abs(picture.time_s - moment.time_s)
                if moment not in best or distance < best[moment][0]:
                    best[moment] = distance, picture.time_s, picture.array
        return _frames((moment, *best[moment][1:]) for moment in moments if moment in best)


def _camera(log: LogReader) -> str | None:
    known = [camera.name for camera in log.spec.cameras]
    looked = sorted(log.cameras, key=lambda name: known.index(name) if name in known else len(known))
    return next((name for name in looked if log.channels[f"/obs/{name}"]), None)


def _moments(story: Story, frames: int) -> list[Moment]:
    found = [Moment(ENDS, story.start_s, "start"), Moment(ENDS, story.end_s, "end")]
    found.append(Moment(STRUCK, max(story.start_s, story.end_s - BEFORE_S), ""))
    for number, scene in enumerate(story.scenes, start=1):
        if scene.attempt is not None:
            wrong = scene.attempt["failure"] or scene.attempt["measured"] is False
            found.append(Moment(WRONG if wrong else DONE, scene.end_s, f"{number} {_word(scene.attempt)}"))
    struck = (event for event in story.events if event.kind is EventKind.DISTURBANCE)
    found += [Moment(STRUCK, event.time_s, "disturbance") for event in struck]
    return sorted(_spread(sorted(found, key=lambda moment: moment.rank), frames), key=lambda moment: moment.time_s)


def _spread(moments: list[Moment], frames: int) -> list[Moment]:
    """The most telling; of those that tell as much, evenly many from front to back."""
    kept: list[Moment] = []
    for rank in sorted({moment.rank for moment in moments}):
        equals, room = [moment for moment in moments if moment.rank == rank], frames - len(kept)
        picks = np.unique(np.linspace(0, len(equals) - 1, min(room, len(equals))).round().astype(int)) if room else ()
        kept += [equals[pick] for pick in picks]
    return kept


def _word(attempt: dict) -> str:
    verdict = "failed" if attempt["failure"] else "not true" if attempt["measured"] is False else "done"
    return f"{attempt['subgoal']['skill']} {verdict}"


def _frames(found: Iterable[tuple[Moment, float, np.ndarray]]) -> list[Frame]:
    """One for each picture: two moments that share one share its words."""
    shared: dict[float, tuple[list[Moment], np.ndarray]] = {}
    for moment, time_s, array in found:
        shared.setdefault(time_s, ([], array))[0].append(moment)
    return [_frame(when, *shared[when]) for when in sorted(shared)]


def _frame(time_s: float, moments: list[Moment], array: np.ndarray) -> Frame:
    words = ", ".join(moment.words for moment in moments if moment.words)
    return Frame(time_s, words, any(moment.rank == WRONG for moment in moments), *data_uri(array))
