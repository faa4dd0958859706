"""Film strips: a few of a log's own pictures, at the moments that tell the story, as small JPEGs in the page."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import cv2
import numpy as np

from tandem.agent.evaluation.report.story import Story, Tried, reading
from tandem.bridge.contract import EventKind
from tandem.bridge.log import LogReader

WIDTH, QUALITY = 320, 70
BEFORE_S = 1.0  # another picture so long before the end
NEAR_S = 0.6  # a picture farther from a moment does not show it
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


@dataclass(frozen=True, eq=False)
class Shot:
    """A picture, already small, and the moments that it is the nearest to."""

    time_s: float
    moments: list[Moment]
    small: np.ndarray

    @property
    def rank(self) -> int:
        """Of the most telling moment."""
        return min(moment.rank for moment in self.moments)


def data_uri(image: np.ndarray, width: int = WIDTH) -> tuple[str, int, int]:
    """A JPEG of uint8 (H, W, 3) RGB, at most that wide, and its width and height."""
    small = _small(image, width)
    options = [cv2.IMWRITE_JPEG_QUALITY, QUALITY, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    _, data = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), options)
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode(), small.shape[1], small.shape[0]


def _small(image: np.ndarray, width: int = WIDTH) -> np.ndarray:
    scale = min(1.0, width / image.shape[1])
    size = round(image.shape[1] * scale), max(1, round(image.shape[0] * scale))
    return cv2.resize(np.ascontiguousarray(image), size, interpolation=cv2.INTER_AREA)


def film_strip(log: LogReader, story: Story, frames: int) -> list[Frame]:
    """At most `frames` pictures in the order of time: the first, failures, disturbances, ends of subgoals, the last.

    Each is the picture nearest to its moment and not far from it, of the body's first camera that was looked through;
    none when no picture was kept. Raises `LogUnreadable`.
    """
    with reading(log.path):
        camera = _camera(log)
        shots = _shots(log, camera, _moments(story)) if camera else []
        return [_frame(shot) for shot in sorted(_spread(shots, frames), key=lambda shot: shot.time_s)]


def _camera(log: LogReader) -> str | None:
    known = [camera.name for camera in log.spec.cameras]
    looked = sorted(log.cameras, key=lambda name: known.index(name) if name in known else len(known))
    return next((name for name in looked if log.channels[f"/obs/{name}"]), None)


def _moments(story: Story) -> list[Moment]:
    found = [Moment(ENDS, story.start_s, "first")]
    ended = (one for one in story.tried if one.ended)
    found += [Moment(WRONG if one.wrong else DONE, one.end_s, _words(one)) for one in ended]
    struck = (event for event in story.events if event.kind is EventKind.DISTURBANCE)
    found += [Moment(STRUCK, event.time_s, "disturbance") for event in struck]
    found.append(Moment(STRUCK, max(story.start_s, story.end_s - BEFORE_S), ""))
    return [*found, Moment(ENDS, story.end_s, "last")]


def _words(tried: Tried) -> str:
    verdict = "failed" if tried.failure else "not true" if tried.wrong else "done"
    return f"{tried.number} {tried.skill} {verdict}"


def _shots(log: LogReader, camera: str, moments: list[Moment]) -> list[Shot]:
    """The nearest picture to each moment, in one pass that keeps small copies only."""
    nearest: dict[int, tuple[float, float, np.ndarray]] = {}
    for picture in log.images(camera):
        distances = {number: abs(picture.time_s - moment.time_s) for number, moment in enumerate(moments)}
        closer = [number for number, distance in distances.items() if distance < nearest.get(number, (np.inf,))[0]]
        if closer:
            small = _small(picture.array)
            nearest |= {number: (distances[number], picture.time_s, small) for number in closer}
    shots: dict[float, Shot] = {}
    for number, (distance, time_s, small) in sorted(nearest.items()):
        if distance > NEAR_S and moments[number].rank != ENDS:
            continue
        shots.setdefault(time_s, Shot(time_s, [], small)).moments.append(moments[number])
    return list(shots.values())


def _spread(shots: list[Shot], frames: int) -> list[Shot]:
    """The most telling; of those that tell as much, evenly many from front to back."""
    kept: list[Shot] = []
    for rank in sorted({shot.rank for shot in shots}):
        equals, room = [shot for shot in shots if shot.rank == rank], frames - len(kept)
        picks = np.unique(np.linspace(0, len(equals) - 1, min(room, len(equals))).round().astype(int)) if room else ()
        kept += [equals[pick] for pick in picks]
    return kept


def _frame(shot: Shot) -> Frame:
    words = ", ".join(moment.words for moment in shot.moments if moment.words)
    wrong = any(moment.rank == WRONG for moment in shot.moments)
    return Frame(shot.time_s, words, wrong, *data_uri(shot.small))
