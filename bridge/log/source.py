"""The messages of one MCAP file, whole, cut off or damaged: chunk by chunk in order, or one by one at random.

Memory: sixteen bytes a message, and a few chunks at a time.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from mcap.data_stream import ReadDataStream
from mcap.records import Attachment, Schema

from tandem.bridge.contract.errors import LogUnreadable
from tandem.bridge.log import records
from tandem.bridge.log.contents import DAMAGE, Contents
from tandem.bridge.log.damage import Damage

_HELD = 4  # chunks kept unpacked


class Logged(NamedTuple):
    """One message of a channel: its topic, schema (None for JSON), body time in seconds, content."""

    topic: str
    schema: Schema | None
    time_s: float
    data: bytes


class Source:
    """One file.

    Args:
        path: the file; it must be there.

    Attributes:
        metadata: texts by key, by the record's name.
        counts: messages that can be read, by topic.
        schemas: by topic; None for a channel without one.
        encodings: of the messages, by topic: "protobuf", "json", ...
        channel_metadata: by topic.
        places: where the messages lie, by topic.
        account: how much of the file is there.
    """

    def __init__(self, path: Path):
        self.path, contents = path, Contents(path)
        self.metadata, self.schemas, self.places = contents.metadata, contents.schemas, contents.places
        self.account, self._chunks, self._attached = contents.account, contents.chunks, contents.attached
        self._topics = {number: channel.topic for number, channel in contents.channels.items()}
        self.encodings = {channel.topic: channel.message_encoding for channel in contents.channels.values()}
        self.channel_metadata = {channel.topic: dict(channel.metadata) for channel in contents.channels.values()}
        self.counts = {topic: len(places) for topic, places in self.places.items()}
        self._unpacked: dict[int, bytes] = {}

    @property
    def files(self) -> tuple[Path, ...]:
        """The one file."""
        return (self.path,)

    @property
    def recovered(self) -> str | None:
        """How much could be read, in words; None for a whole file."""
        return self.account.words()

    @property
    def span_s(self) -> tuple[float, float]:
        """Body time of the first and of the last message."""
        return self.account.first_s, self.account.last_s

    @property
    def damage(self) -> tuple[Damage, ...]:
        """The damaged places that something readable follows."""
        return tuple(one for one in self.account.damage if not one.tail)

    def messages(self, *topics: str, start_ns: int | None = None, end_ns: int | None = None) -> Iterator[Logged]:
        """The messages of some topics in the order in which they were written, between two times, both included."""
        wanted = {number for number, topic in self._topics.items() if topic in topics}
        first, last = start_ns if start_ns is not None else -1, end_ns if end_ns is not None else 2**63
        with self.path.open("rb") as stream:
            for number, chunk in enumerate(self._chunks):
                if wanted & chunk.channels and chunk.start_ns <= last and chunk.end_ns >= first:
                    data = self._unpack(stream, number)
                    for channel, time_ns, at, length in _messages_in(data):
                        if channel in wanted and first <= time_ns <= last:
                            topic = self._topics[channel]
                            yield Logged(topic, self.schemas[topic], time_ns / 1e9, data[at : at + length])

    def read(self, topic: str, number: int) -> bytes:
        """The content of a topic's message by its number in time. Random access; raises `LogUnreadable`."""
        chunk, offset = self.places[topic].place(number)
        data = self._unpacked.pop(chunk, None)
        if data is None:
            with self.path.open("rb") as stream:
                data = self._unpack(stream, chunk)
        self._unpacked[chunk] = data  # the one used last stands last
        if len(self._unpacked) > _HELD:
            self._unpacked.pop(next(iter(self._unpacked)))
        _, length = records.HEAD.unpack_from(data, offset - records.HEAD.size)
        return data[offset + records.MESSAGE_HEAD.size : offset + length]

    def latest(self, topic: str, time_ns: int) -> int | None:
        """Number of a topic's last message at that time or before, None when there is none."""
        places = self.places.get(topic)
        return None if places is None else places.latest(time_ns)

    def time_ns(self, topic: str, number: int) -> int:
        """When a message was."""
        return self.places[topic].times_ns[number]

    def attachments(self) -> Iterator[Attachment]:
        """The files attached that are whole."""
        with self.path.open("rb") as stream:
            for block in self._attached:
                yield Attachment.read(ReadDataStream(io.BytesIO(records.content(stream, block))))

    def _unpack(self, stream: BinaryIO, number: int) -> bytes:
        block = self._chunks[number].block
        try:
            return records.unpack(records.content(stream, block))
        except records.UNPACKING as reason:
            raise LogUnreadable(
                f"{self.path} is damaged: the chunk at byte {block.start}: {reason}. It was whole when it was opened: "
                "open it again, what the other chunks hold is still readable"
            ) from reason

def _messages_in(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Channel, time in ns, offset of the content and its length, of each message of an unpacked chunk."""
    skip = records.MESSAGE_HEAD.size
    for opcode, at, length in records.records_in(data):
        if opcode == records.MESSAGE:
            channel, _, time_ns, _ = records.MESSAGE_HEAD.unpack_from(data, at)
            yield channel, time_ns, at + skip, length - skip


def open_source(path: Path) -> Source:
    """The messages of a file. Raises `LogUnreadable` when nothing useful is there."""
    if not path.is_file():
        raise LogUnreadable(f"there is no log {path}")
    try:
        with damage_named(path):
            source = Source(path)
    except PermissionError as reason:
        raise LogUnreadable(f"{path} may not be read: {reason.strerror}") from reason
    if "manifest" not in source.metadata:
        raise LogUnreadable(f"{path} ({path.stat().st_size} bytes) is no episode log, or ends before its manifest")
    return source


@contextmanager
def damage_named(path: Path) -> Iterator[None]:
    """Turns what a parser stumbles over into `LogUnreadable`."""
    try:
        yield
    except (PermissionError, LogUnreadable):
        raise
    except DAMAGE as reason:
        raise LogUnreadable(f"{path} is damaged: {reason!r}") from reason
