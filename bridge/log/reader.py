"""Reads an episode log back: whole, cut off, damaged or in parts, through iterators that hold one message at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from tandem.bridge.contract.episode import Event, EventKind
from tandem.bridge.contract.errors import LogUnreadable
from tandem.bridge.contract.observation import layout
from tandem.bridge.contract.plan import Attempt
from tandem.bridge.contract.spec import BodySpec
from tandem.bridge.log import decode, topics
from tandem.bridge.log.damage import Damage
from tandem.bridge.log.moments import Moments
from tandem.bridge.log.parts import open_parts
from tandem.bridge.log.pictures import decode_depth, decode_image
from tandem.bridge.log.source import Logged, damage_named
from tandem.bridge.log.values import LoggedStep, Measurement, Picture

_PARTS_OF_A_STEP = 3  # its action, its command, its measurement: messages of their own, with the step's index


class LogReader:
    """One episode log.

    Args:
        path: the file; of a log in parts any of them.

    Attributes:
        manifest: how to make the episode again: versions, seeds, options, specification.
        result: how it ended, as `EpisodeResult.to_dict`, and what was `dropped`; None when the log has no end.
        channels: how many messages each channel holds, by topic.
        files: those that it is read from, of a log in parts all that can be read.
        unknown: topics that this version does not know; they are listed, and otherwise skipped.
        recovered: None for a whole log; else how much of it could be read, in words.
        span_s: body time of the first and of the last message.
        damage: the places in the middle of the log whose messages are lost; what follows them is read.

    Raises `LogUnreadable` when there is nothing to read; each method does when its channel is not there or damaged.
    """

    def __init__(self, path: Path | str):
        self.path = Path(path)
        self._source = open_parts(self.path)
        self._moments = Moments(self._source)
        self.files: tuple[Path, ...] = self._source.files
        self.channels: dict[str, int] = {topic: n for topic, n in sorted(self._source.counts.items()) if n}
        self.unknown: tuple[str, ...] = tuple(topic for topic in self.channels if not topics.known(topic))
        self.span_s: tuple[float, float] = self._source.span_s
        with damage_named(self.path):
            self.manifest = self._manifest()
            self.result = self._plain("result")
            rescued = self._plain(topics.RECOVERY) or {}
            topics.check_format(self.path, self.manifest.get("log_format", 0))
        self.recovered: str | None = self._source.recovered or rescued.get("words")
        gaps = rescued.get("gaps", ())
        self.damage: tuple[Damage, ...] = (*self._source.damage, *(Damage("the original", *gap, {}) for gap in gaps))

    @property
    def spec(self) -> BodySpec:
        """The body's specification."""
        if "spec" not in self.manifest:
            raise LogUnreadable(f"{self.path} ends before the body's specification")
        return BodySpec.from_dict(self.manifest["spec"])

    @property
    def cameras(self) -> tuple[str, ...]:
        """Cameras with images in this log."""
        names = (topic.removeprefix("/obs/") for topic in self.channels if topic.startswith("/obs/"))
        return tuple(name for name in names if "/" not in name)

    @property
    def attempts(self) -> list[dict[str, Any]]:
        """Every subgoal that was tried, as `Attempt.to_dict`, in order; of a cut log those that had ended."""
        if self.result is not None:
            with damage_named(self.path):
                return self.result["attempts"]
        ended = (event.data for event in self.events() if event.kind is EventKind.SUBGOAL_END)
        return [{field.name: data[field.name] for field in fields(Attempt)} for data in ended]

    @property
    def score(self) -> dict[str, Any] | None:
        """Claimed, seen, measured and what belongs to them; None when the log ends before."""
        return next((record for _, record in self._json(topics.SCORE)), None) if topics.SCORE in self.channels else None

    def events(self) -> Iterator[Event]:
        """What happened, in order."""
        for time_s, record in self._json(topics.EVENT_DATA) if topics.EVENT_DATA in self.channels else ():
            yield Event(EventKind(record["kind"]), time_s, record["message"], record["data"])

    def plans(self) -> Iterator[tuple[float, dict[str, Any]]]:
        """Body time and planner call, verbatim."""
        yield from self._json(topics.PLAN) if topics.PLAN in self.channels else ()

    def steps(self) -> Iterator[LoggedStep]:
        """The control steps, in order. A step of which a cut or a damaged place has taken a part is left out."""
        parts: dict[str, tuple[float, Any]] = {}
        index = None
        for logged, message in self._messages(topics.ACTION, topics.COMMAND, topics.MEASURED):
            if message.index != index:
                parts, index = {}, message.index
            parts[logged.topic] = (logged.time_s, message)
            if len(parts) == _PARTS_OF_A_STEP:
                yield decode.step(parts)

    def missing_steps(self) -> tuple[int, int] | None:
        """The first control steps that are lost although one after them is there, from and to; None without any.

        A slow disk has taken them (`result["dropped"]`), or a damaged place.
        """
        steps = self.steps() if topics.ACTION in self.channels else ()
        return next(((at, step.index - 1) for at, step in enumerate(steps) if step.index != at), None)

    def states(self, signature: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Body times (T,) in s and the simulator's states (T, N) float64, bit for bit; row 0 is the initial state.

        Args:
            signature: the state mask that the caller understands. Raises `LogUnreadable` for states of another one.
        """
        if topics.STATE not in self.channels:
            self._require(topics.STATE, "it was recorded without states, or its body was not simulated here; ")
        layout = self.state_layout()
        if signature is not None and layout.get("signature") != signature:
            raise LogUnreadable(f"{self.path} has states of the mask {layout.get('signature')}, not {signature}: "
                                "replay them with the version that made them")
        times, rows = self._table(topics.STATE)
        if layout and rows.shape[-1] != layout.get("size", rows.shape[-1]):
            raise LogUnreadable(f"{self.path} says that a state has {layout['size']} numbers, its rows have "
                                f"{rows.shape[-1]}")
        return times, rows

    def actions(self) -> tuple[np.ndarray, np.ndarray]:
        """Body times (T,) in s and what the policy put out (T, d)."""
        return self._table(topics.ACTION)

    def commands(self) -> tuple[np.ndarray, np.ndarray]:
        """Body times (T,) in s and what was carried out (T, d)."""
        return self._table(topics.COMMAND)

    def measurements(self) -> Iterator[Measurement]:
        """What the body measured; the first is that of the start, with index -1."""
        for logged, message in self._messages(topics.MEASURED):
            yield decode.measurement(logged.time_s, message)

    def state_layout(self) -> dict[str, Any]:
        """What the numbers of a state are, as the recorder was told."""
        return dict(self.manifest.get("state_layout", {}))

    def images(self, camera: str) -> Iterator[Picture]:
        """The images of a camera that were looked at."""
        return self._pictures(f"image.{camera}", decode_image)

    def depths(self, camera: str) -> Iterator[Picture]:
        """The depth maps of a camera that were looked at, to within 0.05 mm, up to 6.5 m."""
        return self._pictures(f"depth.{camera}", decode_depth)

    def messages(
        self, *wanted: str, start_s: float | None = None, end_s: float | None = None
    ) -> Iterator[tuple[str, float, Any]]:
        """Topic, body time and content as plain types, between two body times, both included; without topics of all.

        Only the chunks of that time are read. A message that this version cannot decode tells how long it is.
        """
        for logged in self._logged(*(wanted or self.channels), start_s=start_s, end_s=end_s):
            yield logged.topic, logged.time_s, decode.plain(logged, self._source.encodings[logged.topic])

    def measurement_at(self, time_s: float) -> Measurement | None:
        """The last measurement at that time or before; None when there is none. Random access."""
        found = self._moments.message_at(topics.MEASURED, time_s)
        return None if found is None else decode.measurement(*found)

    def state_at(self, time_s: float) -> tuple[float, np.ndarray] | None:
        """Body time and state (N,) at that time or before; None when there is none. Random access."""
        found = self._moments.message_at(topics.STATE, time_s)
        return None if found is None else (found[0], decode.array(found[1].values))

    def picture_at(self, key: str, time_s: float) -> Picture | None:
        """The last picture of an observation key at that time or before; None when there is none. Random access.

        Raises `LogUnreadable` with the keys that there are for one that the body does not deliver.
        """
        self._check_key(key)
        number = self._moments.latest(topics.picture_topic(key), time_s)
        return None if number is None else self.picture(key, number)

    def picture(self, key: str, number: int) -> Picture:
        """The picture of an observation key by its number, from 0. Random access; raises `LogUnreadable`."""
        self._check_key(key)
        return self._moments.picture(key, number)

    def digest_at(self, key: str, time_s: float) -> str:
        """sha256 of the very array that was looked at then, hex; empty when nobody looked."""
        return self._moments.digests.get((key, round(time_s * 1e9)), "")

    def attachment(self, name: str) -> bytes:
        """The content of an attached file, or `LogUnreadable` listing those that are there."""
        names = []
        with damage_named(self.path):
            for record in self._source.attachments():
                if record.name == name:
                    return record.data
                names.append(record.name)
        raise LogUnreadable(f"{self.path} has no attachment {name!r}; it has: {', '.join(names) or 'none'}")

    def model(self) -> tuple[str, bytes]:
        """Name and content of the model that the states belong to."""
        name = self.manifest.get("model")
        if not name:
            there = ", ".join(record.name for record in self._source.attachments())
            raise LogUnreadable(f"{self.path} was recorded without a model, so it has no attachment 'model.mjb'; it "
                                f"has: {there or 'none'}")
        return name, self.attachment(name)

    def _check_key(self, key: str) -> None:
        """That a picture could have it; the specification, which is long, is read only for one without pictures."""
        if key.startswith(("image.", "depth.")) and topics.picture_topic(key) in self.channels:
            return
        known = [name for name in layout(self.spec) if "." in name]
        if key not in known:
            raise LogUnreadable(f"{self.path} has no pictures {key!r}; its body delivers: {', '.join(known) or 'none'}")

    def _manifest(self) -> dict[str, Any]:
        for record in self._source.attachments():
            if record.name == topics.MANIFEST_FILE:
                return json.loads(record.data)
        return self._plain("manifest") or {}

    def _plain(self, name: str) -> dict[str, Any] | None:
        record = self._source.metadata.get(name)
        return None if record is None else {key: json.loads(text) for key, text in record.items()}

    def _require(self, topic: str, why: str = "") -> None:
        if topic not in self.channels:
            there = ", ".join(self.channels) or "none"
            raise LogUnreadable(f"{self.path} has no channel {topic!r}; {why}it has: {there}")

    def _logged(self, *wanted: str, start_s: float | None = None, end_s: float | None = None) -> Iterator[Logged]:
        for topic in wanted:
            self._require(topic)
        with damage_named(self.path):
            yield from self._source.messages(*wanted, start_ns=_ns(start_s), end_ns=_ns(end_s))

    def _messages(self, *wanted: str) -> Iterator[tuple[Logged, Any]]:
        for logged in self._logged(*wanted):
            yield logged, decode.parsed(logged.schema, logged.data)

    def _json(self, topic: str) -> Iterator[tuple[float, dict[str, Any]]]:
        for logged in self._logged(topic):
            yield logged.time_s, json.loads(logged.data)

    def _table(self, topic: str) -> tuple[np.ndarray, np.ndarray]:
        rows = [(logged.time_s, decode.array(message.values)) for logged, message in self._messages(topic)]
        return np.array([time_s for time_s, _ in rows]), np.array([values for _, values in rows])

    def _pictures(self, key: str, unpack: Any) -> Iterator[Picture]:
        topic, picture = topics.picture_topic(key), None
        for logged, message in self._messages(topic, topics.SEEN):
            if logged.topic == topic:
                picture = logged.time_s, unpack(message.data)
            elif message.key == key and picture is not None:
                yield Picture(*picture, message.digest.hex())


def _ns(time_s: float | None) -> int | None:
    return None if time_s is None else round(time_s * 1e9)
