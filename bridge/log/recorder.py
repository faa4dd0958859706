"""Records an episode: a subscriber that costs the control thread microseconds and writes one MCAP file.

`on_step` copies what the next step would overwrite into a backlog; encoding and writing happen in a process of their
own. In lockstep the default is to wait when the backlog is full, so nothing is ever lost; with
`lossless=False` (a robot, a live clock) pictures and then steps are dropped, counted, and reported in the log itself.
Events, plans and the score are never dropped.
"""

from __future__ import annotations

import atexit
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from tandem.bridge.contract.episode import EpisodeResult, EpisodeStart, Event, EventKind, Step
from tandem.bridge.contract.errors import (
    BodyStopped,
    BodyUnresponsive,
    InvalidObservation,
    LogUnwritable,
    StaleObservation,
)
from tandem.bridge.contract.observation import Observation, image_key
from tandem.bridge.log import topics
from tandem.bridge.log.backlog import EVENT_RESERVE, STEP_RESERVE, Backlog
from tandem.bridge.log.course import Certify, Course
from tandem.bridge.log.entries import (
    Entry,
    HeadEntry,
    MeasuredEntry,
    PictureEntry,
    RecordEntry,
    StepEntry,
    TailEntry,
    nanoseconds,
    pack,
    pictures_of,
    time_of,
)
from tandem.bridge.log.file import MIN_FREE_BYTES, LogFile
from tandem.bridge.log.parts import check_free
from tandem.bridge.log.pictures import PicturePolicy
from tandem.bridge.log.plain import plain_json
from tandem.bridge.log.volumes import Rotation
from tandem.bridge.log.writer import Writer

QUEUE_BYTES = 64 * 2**20
_NO_PICTURE = (BodyStopped, BodyUnresponsive, InvalidObservation, StaleObservation)  # why a still is not to be had
_LEVELS = {EventKind.FAILURE: "Error", EventKind.RECOVERY: "Warning", EventKind.DISTURBANCE: "Warning"}


class Recorder:
    """Writes one episode into one new MCAP file. A `Subscriber`.

    Use it as a context manager, or call `close`: an episode that ends without `on_episode_end` still leaves a log.

    Args:
        path: the file to make, `*.mcap`; it must not exist (see `next_free`).
        state: gives the simulator's whole state (N,) float64; None for a body without one.
        state_layout: what the numbers of the state are (bits, size, library version), plain types.
        model: the model that the state belongs to, attached to the log; a function is called once, at the start.
        model_name: file name of the attachment; its ending tells the kind.
        certify: asked once the episode has ended, whether its states follow from its commands: given the states
            (T + 1, N), the commands (T, d) and the rows that a disturbance changed, it says so in plain types. The
            answer is part of the log's result, as `certificate`.
        pictures: which of the pictures that were looked at are kept, and how.
        stills: look at the body's first camera whenever a subgoal ends: of a body without a state nothing can be
            rendered later, and whoever carried out the subgoal may have looked at nothing. Of all that a recorder
            does this alone may wait for a camera. A picture that does not come is noted in the log.
        lossless: wait for the writer rather than drop anything.
        queue_bytes: how much may wait to be written.
        min_free_bytes: what the disk must have left at the start.
        rotate_bytes, rotate_s: go on in `NAME-part2.mcap` and so on after so many bytes, or so much body time; the
            reader opens any part and reads all of them as one.

    Attributes:
        path: the file, of a log in parts the first.
        dropped: how many steps and pictures did not fit, by kind.

    Raises `LogUnwritable` when the file cannot be made, and from then on at the next call once writing has failed.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        state: Callable[[], np.ndarray] | None = None,
        state_layout: Mapping[str, Any] | Callable[[], Mapping[str, Any]] | None = None,
        model: bytes | Callable[[], bytes] | None = None,
        model_name: str = "model.mjb",
        certify: Certify | None = None,
        pictures: PicturePolicy | None = None,
        stills: bool = False,
        lossless: bool = True,
        queue_bytes: int = QUEUE_BYTES,
        min_free_bytes: int = MIN_FREE_BYTES,
        rotate_bytes: int | None = None,
        rotate_s: float | None = None,
    ):
        self.path, self.dropped = Path(path), {"steps": 0, "pictures": 0}
        self._state, self._layout, self._model, self._model_name = state, state_layout, model, model_name
        self._pictures, self._lossless = pictures or PicturePolicy(), lossless
        self._still_key: str | None = None  # the picture to look at when a subgoal ends
        self._stills, self._still_at = stills, -1  # index of the last observation that it was read from
        self._course = None if certify is None or state is None else Course(certify)
        self._rotation = Rotation(rotate_bytes, rotate_s)
        check_free(self.path)
        self._file = LogFile(self.path, min_free_bytes=min_free_bytes)
        self._queue_bytes = queue_bytes
        self._backlog: Backlog | None = None
        self._writer: Writer | None = None
        self._closed, self._reported, self._now = False, 0, 0
        self._last: tuple[int, Observation] | None = None  # index and observation whose pictures are not yet taken
        atexit.register(self.close)

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def on_episode_start(self, start: EpisodeStart) -> None:
        """Write the manifest and the model, then the first measurement and state."""
        if self._closed or self._writer is not None:
            raise LogUnwritable(f"{self.path} holds one episode already; make a new Recorder for the next")
        if self._stills and start.spec.cameras and self._pictures.every:
            self._still_key = image_key(start.spec.cameras[0].name)
        head = self._head(start)
        self._begin(largest=sum(len(data) for _, _, data in head.attachments))
        self._put(head)
        self._now, self._last = time_of(start.observation), (0, start.observation)
        first = MeasuredEntry.of(start.observation, -1, self._state and self._state())
        self._put(first)
        if self._course is not None:
            self._course.begin(first)

    def on_step(self, step: Step) -> None:
        """Take what the step holds; raises `LogUnwritable` if writing has failed."""
        self._check()
        self._take_pictures(step.before, step.index)
        entry = StepEntry.of(step, self._state and self._state())
        self._now, self._last = entry.after.time_ns, (step.index + 1, step.observation)
        if self._course is not None:
            self._course.add(entry)
        if not self._take(entry, wait=self._lossless, reserve=STEP_RESERVE):
            self.dropped["steps"] += 1
        elif self._lost > self._reported:
            self._report_losses()

    def on_event(self, event: Event) -> None:
        """Write an event, and flush: it is safe from a crash moments later."""
        self._check()
        if self._course is not None and event.kind == EventKind.DISTURBANCE:
            self._course.strike(nanoseconds(event.time_s))
        self._record(event)
        if event.kind == EventKind.SUBGOAL_END and self._still_key is not None:
            self._look(self._still_key)

    def on_episode_end(self, result: EpisodeResult) -> None:
        """Write the score and the result, close the file; raises `LogUnwritable` if any of it failed."""
        self._check()
        if self._last is not None:
            self._take_pictures(self._last[1], self._last[0])
        if self._lost > self._reported:
            self._report_losses()
        fields = {**result.to_dict(), "dropped": self.dropped}
        score = {name: value for name, value in fields.items() if name not in ("attempts", "dropped")}
        if self._course is not None:
            fields["certificate"] = self._course.certificate()
        self._put(RecordEntry(self._now, topics.SCORE, plain_json(score)))
        self._put(TailEntry({name: plain_json(value) for name, value in fields.items()}))
        self.close()
        self._writer.check()

    def close(self) -> None:
        """Write what waits and close. A log that never began is removed. Calling it twice is allowed."""
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self.close)
        if self._writer is None:
            self._file.discard()
        else:
            self._writer.close()

    @property
    def _lost(self) -> int:
        return self.dropped["steps"] + self.dropped["pictures"]

    def _check(self) -> None:
        if self._writer is None:
            raise LogUnwritable(f"{self.path}: no episode has started; on_episode_start comes first")
        self._writer.check()
        if self._closed:
            raise LogUnwritable(f"{self.path} is closed")

    def _begin(self, largest: int) -> None:
        try:
            self._backlog = Backlog(self._queue_bytes, largest=largest)
            self._writer = Writer(self._file, self._backlog, self._pictures, self._rotation)
        except OSError as reason:
            raise LogUnwritable(
                f"the process that writes {self.path} cannot be started: {reason.strerror}. It needs memory for "
                f"{self._queue_bytes / 2**20:.0f} MiB at most (queue_bytes) and a few open files"
            ) from reason

    def _put(self, entry: Entry) -> None:
        self._take(entry, wait=True, reserve=EVENT_RESERVE)

    def _take(self, entry: Entry, *, wait: bool, reserve: int = 0) -> bool:
        try:
            return self._backlog.put(*pack(entry), wait=wait, reserve=reserve)
        except BrokenPipeError as reason:
            raise self._writer.failure() from reason

    def _look(self, key: str) -> None:
        """Read a picture of the newest observation, which is then taken as if somebody had looked at it."""
        self._still_at, observation = self._last
        try:
            _ = observation[key]
        except _NO_PICTURE as reason:
            self._record(Event(EventKind.NOTE, self._now * 1e-9, f"no picture of this moment: {reason}"), "Warning")

    def _take_pictures(self, observation: Observation, index: int) -> None:
        if self._last is not None and self._last[1] is not observation:
            last, self._last = self._last, None
            self._take_pictures(last[1], last[0])
        self._last = None
        if not self._pictures.keeps(index) and index != self._still_at:
            return
        for key, array in pictures_of(observation).items():
            if key.startswith("depth.") and not self._pictures.depth:
                continue
            entry = PictureEntry(time_of(observation), key, array)
            if not self._take(entry, wait=self._lossless):
                self.dropped["pictures"] += 1

    def _report_losses(self) -> None:
        self._reported = self._lost
        lost = ", ".join(f"{count} {kind}" for kind, count in self.dropped.items())
        message = f"the disk is too slow, dropped so far: {lost}"
        self._record(Event(EventKind.NOTE, self._now * 1e-9, message, {"dropped": dict(self.dropped)}), "Warning")

    def _record(self, event: Event, level: str | None = None) -> None:
        when, kind = nanoseconds(event.time_s), EventKind(event.kind)
        fields = {"kind": kind, "time_s": event.time_s, "message": event.message, "wall_time": time.time()}
        text = plain_json({**fields, "data": event.data})
        level = level or _LEVELS.get(kind, "Info")
        self._put(RecordEntry(when, topics.EVENT_DATA, text, f"{kind}: {event.message}", level, str(kind)))
        if kind is EventKind.PLAN:
            self._put(RecordEntry(when, topics.PLAN, plain_json(event.data)))

    def _head(self, start: EpisodeStart) -> HeadEntry:
        layout = self._layout() if callable(self._layout) else self._layout or {}
        model = self._model() if callable(self._model) else self._model
        spec = start.spec.to_dict()
        fields = {
            **start.manifest, "log_format": topics.FORMAT, "instruction": start.instruction, "robot": start.spec.robot,
            "spec_digest": start.spec.digest(), "state_layout": layout, "pictures": asdict(self._pictures),
            "stills": self._still_key, "lossless": self._lossless, "model": None if model is None else self._model_name,
        }
        manifest = json.dumps(json.loads(plain_json({**fields, "spec": spec})), indent=1).encode()
        attachments = [(topics.MANIFEST_FILE, "application/json", manifest)]
        if model is not None:
            attachments.append((self._model_name, "application/octet-stream", bytes(model)))
        texts = {name: plain_json(value) for name, value in fields.items()}
        return HeadEntry(texts, tuple(attachments), {name: str(value) for name, value in layout.items()})
