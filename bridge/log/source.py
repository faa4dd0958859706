"""The records of an MCAP file: through its index where it has one, else by reading from the front as far as it goes.

A log whose recorder was killed has no index, and the usual readers refuse it with a misleading message. Nearly all of
it is there: only the chunk that was open is lost. Memory is bounded by one chunk and one record.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import zstandard
from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.reader import SeekingReader
from mcap.records import Attachment, Channel, Chunk, DataEnd, McapRecord, Message, Metadata, Schema
from mcap.stream_reader import StreamReader, breakup_chunk

from tandem.bridge.contract.errors import LogUnreadable

# What parsing of cut or damaged bytes raises: the library checks little.
DAMAGE = (
    McapError, zstandard.ZstdError, struct.error, ValueError, LookupError, EOFError, OverflowError, MemoryError,
    OSError, TypeError, RuntimeError,  # the last is how lz4 says that it cannot decompress
)


_MAGIC = b"\x89MCAP0\r\n"
_RECORD_HEAD = 9  # bytes: the opcode and the length of what follows
_FOOTER = struct.Struct("<BQQQI8s")  # opcode, length, start of the summary, of its offsets, checksum; then the magic


class Logged(NamedTuple):
    """One message of a channel: its topic, schema (None for JSON), body time in seconds, content."""

    topic: str
    schema: Schema | None
    time_s: float
    data: bytes


class IndexedSource:
    """A log that was closed properly. Raises one of `DAMAGE` when it was not."""

    recovered: str | None = None

    def __init__(self, path: Path):
        self._path = path
        with path.open("rb") as stream:
            _check_summary(stream)
            reader = SeekingReader(stream, record_size_limit=path.stat().st_size)
            summary = reader.get_summary()
            if summary is None or summary.statistics is None:
                raise EOFError("the file has no summary")
            self.metadata = {record.name: dict(record.metadata) for record in reader.iter_metadata()}
        counts = summary.statistics.channel_message_counts
        self.counts = {channel.topic: counts.get(number, 0) for number, channel in summary.channels.items()}
        self.channel_metadata = {channel.topic: dict(channel.metadata) for channel in summary.channels.values()}
        self.topics = {number: channel.topic for number, channel in summary.channels.items()}
        self.schemas = {channel.topic: summary.schemas.get(channel.schema_id) for channel in summary.channels.values()}

    def messages(self, *topics: str) -> Iterator[Logged]:
        """The messages of some topics, in the order in which they were written.

        Chunk by chunk: the library's own iterator holds every message of these topics before it gives the first.
        """
        with self._path.open("rb") as stream:
            summary = SeekingReader(stream).get_summary()
            wanted = {number for number, channel in summary.channels.items() if channel.topic in topics}
            for index in sorted(summary.chunk_indexes, key=lambda index: index.chunk_start_offset):
                if index.message_index_offsets and wanted.isdisjoint(index.message_index_offsets):
                    continue
                for message in _chunk_messages(stream, index.chunk_start_offset):
                    if message.channel_id in wanted:
                        channel = summary.channels[message.channel_id]
                        schema = summary.schemas.get(channel.schema_id)
                        yield Logged(channel.topic, schema, message.log_time / 1e9, message.data)

    def attachments(self) -> Iterator[Attachment]:
        """The files attached."""
        with self._path.open("rb") as stream:
            yield from SeekingReader(stream).iter_attachments()


def _chunk_messages(stream: BinaryIO, start: int) -> Iterator[Message]:
    stream.seek(start + _RECORD_HEAD)
    chunk = Chunk.read(ReadDataStream(stream))
    return (record for record in breakup_chunk(chunk, validate_crc=True) if isinstance(record, Message))


def _check_summary(stream: BinaryIO) -> None:
    """Raise one of `DAMAGE` unless the file ends in a summary as it was written: the library does not look."""
    stream.seek(-_FOOTER.size, os.SEEK_END)
    _, _, start, _, expected, magic = _FOOTER.unpack(stream.read(_FOOTER.size))
    end = stream.tell() - len(magic) - 4  # the checksum covers all before itself
    if magic != _MAGIC or not 0 < start < end:
        raise EOFError("the file does not end in a summary")
    stream.seek(start)
    if expected and zlib.crc32(stream.read(end - start)) != expected:  # 0 is none
        raise ValueError("the summary is damaged")
    stream.seek(0)


class RecoveredSource:
    """A log without an end: its first records, up to the first that is cut or damaged.

    Attributes:
        recovered: how much that is, in words.
    """

    def __init__(self, path: Path):
        self._path, self.metadata, self.channel_metadata = path, {}, {}
        self.topics, self.schemas = dict[int, str](), dict[str, Schema | None]()
        counts, last_s = Counter(), 0.0
        for record, channel, schema in self._records():
            if isinstance(record, Metadata):
                self.metadata[record.name] = dict(record.metadata)
            elif isinstance(record, Message):
                counts[channel.topic] += 1
                self.channel_metadata[channel.topic] = dict(channel.metadata)
                self.topics[channel.id], self.schemas[channel.topic] = channel.topic, schema
                last_s = max(last_s, record.log_time / 1e9)
        self.counts = dict(counts)
        self.recovered = f"recovered {counts.total()} messages, the last at t={last_s:.2f} s"

    def messages(self, *topics: str) -> Iterator[Logged]:
        """The messages of some topics, in the order in which they were written."""
        for record, channel, schema in self._records():
            if isinstance(record, Message) and channel.topic in topics:
                yield Logged(channel.topic, schema, record.log_time / 1e9, record.data)

    def attachments(self) -> Iterator[Attachment]:
        """The files attached."""
        return (record for record, _, _ in self._records() if isinstance(record, Attachment))

    def _records(self) -> Iterator[tuple[McapRecord, Channel | None, Schema | None]]:
        schemas: dict[int, Schema] = {}
        channels: dict[int, Channel] = {}
        for record in self._whole_records():
            if isinstance(record, Schema):
                schemas[record.id] = record
            elif isinstance(record, Channel):
                channels[record.id] = record
            elif isinstance(record, Message):
                channel = channels[record.channel_id]
                yield record, channel, schemas.get(channel.schema_id)
            else:
                yield record, None, None

    def _whole_records(self) -> Iterator[McapRecord]:
        with self._path.open("rb") as stream:
            limit = self._path.stat().st_size
            records = StreamReader(_Exact(stream), emit_chunks=True, record_size_limit=limit).records
            while True:
                try:
                    record = next(records)
                    parts = breakup_chunk(record, validate_crc=True) if isinstance(record, Chunk) else [record]
                except (StopIteration, *DAMAGE):
                    return  # the cut: whatever follows cannot be trusted
                if isinstance(record, DataEnd):
                    return
                yield from parts


class _Exact:
    """A stream that never returns less than it was asked for: the library takes a short read for a short record."""

    def __init__(self, stream: BinaryIO):
        self._stream = stream

    def read(self, length: int) -> bytes:
        data = self._stream.read(length)
        if len(data) < length:
            raise EOFError("the file ends within a record")
        return data


Source = IndexedSource | RecoveredSource


def open_source(path: Path) -> Source:
    """The records of a file, by its index or recovered. Raises `LogUnreadable` when nothing useful is there."""
    if not path.is_file():
        raise LogUnreadable(f"there is no log {path}")
    try:
        source: Source = IndexedSource(path)
    except PermissionError as reason:
        raise LogUnreadable(f"{path} may not be read: {reason.strerror}") from reason
    except DAMAGE:
        with damage_named(path):
            source = RecoveredSource(path)
    if "manifest" not in source.metadata:
        raise LogUnreadable(f"{path} ({path.stat().st_size} bytes) is no episode log, or ends before its manifest")
    return source


@contextmanager
def damage_named(path: Path) -> Iterator[None]:
    """Turns what a parser stumbles over into `LogUnreadable`."""
    try:
        yield
    except DAMAGE as reason:
        raise LogUnreadable(f"{path} is damaged: {reason!r}") from reason
