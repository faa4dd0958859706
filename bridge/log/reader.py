"""Reads an episode log back: whole or cut off, through iterators that hold one message at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from tandem.bridge.contract.episode import Event, EventKind
from tandem.bridge.contract.errors import LogUnreadable
from tandem.bridge.contract.plan import Attempt
from tandem.bridge.contract.spec import BodySpec
from tandem.bridge.log import topics
from tandem.bridge.log.index import Index
from tandem.bridge.log.pictures import decode_depth, decode_image
from tandem.bridge.log.schemas import message_class
from tandem.bridge.log.source import Logged, damage_named, open_source
from tandem.bridge.log.values import LoggedStep, Measurement, Picture


class LogReader:
    """One episode log.

    Args:
        path: the file.

    Attributes:
        manifest: how to make the episode again: versions, seeds, options, specification.
        result: how it ended, as `EpisodeResult.to_dict`, and what was `dropped`; None when the log has no end.
        channels: how many messages each channel holds, by topic.
        recovered: None for a whole log; else how much of it could be read, in words.

    Raises `LogUnreadable` when there is nothing to read; each method does when its channel is not there or damaged.
    """

    def __init__(self, path: Path | str):
        self.path = Path(path)
        self._source = open_source(self.path)
        self.channels: dict[str, int] = dict(sorted(self._source.counts.items()))
        self.recovered: str | None = self._source.recovered
        with damage_named(self.path):
            self.manifest = self._manifest()
            self.result = self._plain("result")
            newer = self.manifest.get("log_format", 0) > topics.FORMAT
        if newer:
            raise LogUnreadable(
                f"{self.path} has log format {self.manifest['log_format']}, this version reads up to {topics.FORMAT}: "
                "install a newer one"
            )

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
        """The control steps, in order. A step that the cut split is left out."""
        parts: dict[str, tuple[float, Any]] = {}
        for logged, message in self._messages(topics.ACTION, topics.COMMAND, topics.MEASURED):
            if logged.topic == topics.ACTION:
                parts.clear()
            parts[logged.topic] = (logged.time_s, message)
            if logged.topic == topics.MEASURED and message.index >= 0:
                yield _step(parts)

    def states(self) -> tuple[np.ndarray, np.ndarray]:
        """Body times (T,) in s and the simulator's states (T, N) float64, bit for bit; row 0 is the initial state."""
        return self._table(topics.STATE)

    def actions(self) -> tuple[np.ndarray, np.ndarray]:
        """Body times (T,) in s and what the policy put out (T, d)."""
        return self._table(topics.ACTION)

    def commands(self) -> tuple[np.ndarray, np.ndarray]:
        """Body times (T,) in s and what was carried out (T, d)."""
        return self._table(topics.COMMAND)

    def measurements(self) -> Iterator[Measurement]:
        """What the body measured; the first is that of the start, with index -1."""
        for logged, message in self._messages(topics.MEASURED):
            yield _measurement(logged.time_s, message)

    def state_layout(self) -> dict[str, Any]:
        """What the numbers of a state are, as the recorder was told."""
        return dict(self.manifest.get("state_layout", {}))

    def images(self, camera: str) -> Iterator[Picture]:
        """The images of a camera that were looked at."""
        return self._pictures(f"image.{camera}", decode_image)

    def depths(self, camera: str) -> Iterator[Picture]:
        """The depth maps of a camera that were looked at, to within 0.05 mm, up to 6.5 m."""
        return self._pictures(f"depth.{camera}", decode_depth)

    def picture_at(self, key: str, time_s: float) -> Picture | None:
        """The last picture of an observation key at that time or before; None when there is none. Random access."""
        topic = topics.picture_topic(key)
        number = self._index.latest(topic, round(time_s * 1e9))
        return None if number is None else self.picture(key, number)

    def picture(self, key: str, number: int) -> Picture:
        """The picture of an observation key by its number, from 0. Random access; raises `LogUnreadable`."""
        topic = topics.picture_topic(key)
        places = self._index.places.get(topic, ())
        if not 0 <= number < len(places):
            raise LogUnreadable(f"{self.path} has {len(places)} pictures of {key!r}, not one with the number {number}")
        data = self._parsed(topic, number).data
        decode = decode_depth if key.startswith("depth.") else decode_image
        time_ns = places[number].time_ns
        return Picture(time_ns / 1e9, decode(data), self._digests.get((key, time_ns), ""))

    @cached_property
    def _index(self) -> Index:
        with damage_named(self.path):
            return Index(self.path, self._source.topics)

    @cached_property
    def _digests(self) -> dict[tuple[str, int], str]:
        """sha256 of every picture that was looked at, by observation key and ns."""
        seen = range(len(self._index.places.get(topics.SEEN, ())))
        found = {}
        for number in seen:
            message = self._parsed(topics.SEEN, number)
            found[message.key, self._index.places[topics.SEEN][number].time_ns] = message.digest.hex()
        return found

    def digest_at(self, key: str, time_s: float) -> str:
        """sha256 of the very array that was looked at then, hex; empty when nobody looked."""
        return self._digests.get((key, round(time_s * 1e9)), "")

    def _parsed(self, topic: str, number: int) -> Any:
        schema = self._source.schemas[topic]
        return message_class(schema.name, schema.data).FromString(self._index.read(topic, number))

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
        name = self.manifest.get("model") or "model.mjb"
        return name, self.attachment(name)

    def _manifest(self) -> dict[str, Any]:
        for record in self._source.attachments():
            if record.name == topics.MANIFEST_FILE:
                return json.loads(record.data)
        return self._plain("manifest") or {}

    def _plain(self, name: str) -> dict[str, Any] | None:
        record = self._source.metadata.get(name)
        return None if record is None else {key: json.loads(text) for key, text in record.items()}

    def _require(self, topic: str) -> None:
        if topic not in self.channels:
            there = ", ".join(self.channels) or "none"
            raise LogUnreadable(f"{self.path} has no channel {topic!r}; it has: {there}")

    def _logged(self, *wanted: str) -> Iterator[Logged]:
        for topic in wanted:
            self._require(topic)
        with damage_named(self.path):
            yield from self._source.messages(*wanted)

    def _messages(self, *wanted: str) -> Iterator[tuple[Logged, Any]]:
        for logged in self._logged(*wanted):
            yield logged, message_class(logged.schema.name, logged.schema.data).FromString(logged.data)

    def _json(self, topic: str) -> Iterator[tuple[float, dict[str, Any]]]:
        for logged in self._logged(topic):
            yield logged.time_s, json.loads(logged.data)

    def _table(self, topic: str) -> tuple[np.ndarray, np.ndarray]:
        rows = [(logged.time_s, _array(message.values)) for logged, message in self._messages(topic)]
        return np.array([time_s for time_s, _ in rows]), np.array([values for _, values in rows])

    def _pictures(self, key: str, decode: Any) -> Iterator[Picture]:
        topic, picture = topics.picture_topic(key), None
        for logged, message in self._messages(topic, topics.SEEN):
            if logged.topic == topic:
                picture = logged.time_s, decode(message.data)
            elif message.key == key and picture is not None:
                yield Picture(*picture, message.digest.hex())


def _array(values: Any) -> np.ndarray:
    return np.fromiter(values, np.float64, len(values))


def _measurement(time_s: float, message: Any) -> Measurement:
    fields = (message.joint_position, message.joint_velocity, message.gripper_opening, message.tool_pose)
    return Measurement(message.index, time_s, *map(_array, fields))


def _step(parts: dict[str, tuple[float, Any]]) -> LoggedStep:
    time_s, action = parts[topics.ACTION]
    command, measured = _array(parts[topics.COMMAND][1].values), _measurement(*parts[topics.MEASURED])
    return LoggedStep(
        action.index, time_s, _array(action.values), command, measured, action.phase, action.subgoal, action.held,
        action.wall_time,
    )
