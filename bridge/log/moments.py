"""Single messages of a log by time or number: only the chunk that holds one is read."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from tandem.bridge.contract.errors import LogUnreadable
from tandem.bridge.log import topics
from tandem.bridge.log.decode import parsed
from tandem.bridge.log.parts import Joined
from tandem.bridge.log.pictures import decode_depth, decode_image
from tandem.bridge.log.source import Source, damage_named
from tandem.bridge.log.values import Picture


class Moments:
    """Of one log.

    Args:
        source: its messages.
    """

    def __init__(self, source: Source | Joined):
        self._source = source

    def latest(self, topic: str, time_s: float) -> int | None:
        """Number of a topic's last message at that time or before, None when there is none."""
        return self._source.latest(topic, round(time_s * 1e9))

    def message_at(self, topic: str, time_s: float) -> tuple[float, Any] | None:
        """Body time in s and content of a topic's last message at that time or before, None when there is none."""
        number = self.latest(topic, time_s)
        return None if number is None else (self._source.time_ns(topic, number) / 1e9, self._message(topic, number))

    def picture(self, key: str, number: int) -> Picture:
        """The picture of an observation key by its number, from 0; raises `LogUnreadable`."""
        topic = topics.picture_topic(key)
        count = self._source.counts.get(topic, 0)
        if not 0 <= number < count:
            path = self._source.path
            raise LogUnreadable(f"{path} has {count} pictures of {key!r}, not one with the number {number}")
        decode = decode_depth if key.startswith("depth.") else decode_image
        time_ns = self._source.time_ns(topic, number)
        return Picture(time_ns / 1e9, decode(self._message(topic, number).data), self.digests.get((key, time_ns), ""))

    @cached_property
    def digests(self) -> dict[tuple[str, int], str]:
        """sha256 of every picture that was looked at, by observation key and ns."""
        found = {}
        with damage_named(self._source.path):
            for logged in self._source.messages(topics.SEEN):
                message = parsed(logged.schema, logged.data)
                found[message.key, round(logged.time_s * 1e9)] = message.digest.hex()
        return found

    def _message(self, topic: str, number: int) -> Any:
        with damage_named(self._source.path):
            return parsed(self._source.schemas[topic], self._source.read(topic, number))
