"""What one MCAP file holds: every chunk unpacked once and its checksum proved, so that what is said of a log is known
before anything is made of it. Memory: sixteen bytes a message, and one chunk at a time.
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import zstandard
from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.reader import SeekingReader
from mcap.records import Attachment, Channel, Metadata, Schema
from mcap.summary import Summary

from tandem.bridge.log import records
from tandem.bridge.log.damage import Account, Damage, listed
from tandem.bridge.log.index import Places
from tandem.bridge.log.records import Block, Hole

# What parsing of cut or damaged bytes raises: the library checks little.
DAMAGE = (
    McapError, zstandard.ZstdError, struct.error, ValueError, LookupError, EOFError, OverflowError, MemoryError,
    OSError, TypeError, RuntimeError,  # the last is how lz4 says that it cannot decompress
)
_END = struct.Struct("<BQQQI8s")  # opcode, length, start of the summary, of its offsets, checksum; then the magic


class ChunkPlace(NamedTuple):
    """A readable chunk: its record, its times in ns, and the channels it holds messages of."""

    block: Block
    start_ns: int
    end_ns: int
    channels: frozenset[int]


class Contents:
    """Of one file.

    Args:
        path: the file; it must be there. Raises one of `DAMAGE` when it cannot be read at all.

    Attributes:
        metadata: texts by key, by the record's name.
        channels: by number.
        schemas: by topic; None for a channel without one.
        places: where the messages lie, by topic.
        chunks: those that can be read.
        attached: the records of the attachments.
        account: how much of the file is there.
    """

    def __init__(self, path: Path):
        self.metadata, self.channels = dict[str, dict[str, str]](), dict[int, Channel]()
        self.schemas, self.places = dict[str, Schema | None](), dict[str, Places]()
        self.chunks, self.attached = list[ChunkPlace](), list[Block]()
        self._schemas, self._alike = dict[int, Schema](), dict[frozenset[int], frozenset[int]]()
        with path.open("rb") as stream:
            self.account = self._scan(stream, path.stat().st_size)

    def _scan(self, stream: BinaryIO, size: int) -> Account:
        summary = _summary(stream)
        known = () if summary is None else _positions(summary)
        if summary is not None:
            for schema in summary.schemas.values():
                self._schemas[schema.id] = schema
            for channel in summary.channels.values():
                self._add_channel(channel)
        damage, ended = self._walk(stream, size, known)
        for places in self.places.values():
            places.settle()
        total = summary.statistics.message_count if summary is not None and summary.statistics is not None else None
        times = [places.times_ns for places in self.places.values() if places]
        first = min((one[0] for one in times), default=0) / 1e9
        last = max((one[-1] for one in times), default=0) / 1e9
        count, held = sum(map(len, self.places.values())), sum(chunk.block.length for chunk in self.chunks)
        return Account(count, first, last, held, damage, ended, summary is not None, total)

    def _walk(self, stream: BinaryIO, size: int, known: tuple[int, ...]) -> tuple[list[Damage], bool]:
        """The damaged places, and whether the data have an end."""
        damage, bad, number = list[Damage](), None, 0
        missing = list[tuple[str, int]]()  # of the damaged chunk, as the index that follows it lists them
        for part in records.walk(stream, size, known):
            if bad is not None and not (isinstance(part, Block) and part.opcode == records.INDEX):
                damage.append(Damage(*bad, **listed(missing)))
                bad, missing = None, []
            if isinstance(part, Hole):
                damage.append(Damage("the file", *part, "no record can be made of it", {}, tail=part.end == size))
            elif part.opcode == records.CHUNK:
                reason = self._take_chunk(stream, part)
                bad = None if reason is None else (f"chunk {number}", part.start, part.end, reason)
                number += 1
            elif part.opcode == records.INDEX and bad is not None:
                missing += self._listed(records.content(stream, part))
            elif part.opcode == records.DATA_END:
                return damage, True
            elif (wrong := self._take(stream, part)) is not None:
                damage.append(Damage(wrong[0], part.start, part.end, wrong[1], {}, spare=True))
        if bad is not None:
            damage.append(Damage(*bad, **listed(missing), tail=True))
        return damage, False

    def _take(self, stream: BinaryIO, block: Block) -> tuple[str, str] | None:
        """Note a record that is no chunk; which it is and what is wrong with it, or None."""
        data, what = records.content(stream, block), "a record"
        try:
            if block.opcode == records.ATTACHMENT:
                what = f"the attachment {Attachment.read(ReadDataStream(io.BytesIO(data))).name!r}"
                expected = int.from_bytes(data[-4:], "little")
                if expected and zlib.crc32(data[:-4]) != expected:
                    return what, "its checksum is wrong"
                self.attached.append(block)
            else:
                self._take_record(block.opcode, data)
        except DAMAGE as reason:
            return what, f"it cannot be read: {reason!r}"
        return None

    def _take_record(self, opcode: int, data: bytes) -> None:
        if opcode == records.SCHEMA:
            schema = Schema.read(ReadDataStream(io.BytesIO(data)))
            self._schemas[schema.id] = schema
        elif opcode == records.METADATA:
            record = Metadata.read(ReadDataStream(io.BytesIO(data)))
            self.metadata[record.name] = dict(record.metadata)
        elif opcode == records.CHANNEL:
            self._add_channel(Channel.read(ReadDataStream(io.BytesIO(data))))

    def _add_channel(self, channel: Channel) -> None:
        self.channels[channel.id] = channel
        self.schemas[channel.topic] = self._schemas.get(channel.schema_id)
        self.places.setdefault(channel.topic, Places())

    def _take_chunk(self, stream: BinaryIO, block: Block) -> str | None:
        """Note what a chunk holds; what is wrong with it, or None."""
        try:
            data = records.unpack(records.content(stream, block))
            parts = list(records.records_in(data))
        except records.UNPACKING as reason:
            return str(reason)
        held, times = set[int](), list[int]()
        for opcode, at, length in parts:
            if opcode != records.MESSAGE:
                self._take_record(opcode, data[at : at + length])
                continue
            channel, _, time_ns, _ = records.MESSAGE_HEAD.unpack_from(data, at)
            if channel in self.channels:  # else the chunk that declared it is lost
                held.add(channel)
                times.append(time_ns)
                self.places[self.channels[channel].topic].add(time_ns, len(self.chunks), at)
        alike = self._alike.setdefault(frozenset(held), frozenset(held))
        self.chunks.append(ChunkPlace(block, min(times, default=0), max(times, default=0), alike))
        return None

    def _listed(self, index: bytes) -> Iterator[tuple[str, int]]:
        number, length = struct.unpack_from("<HI", index)
        channel = self.channels.get(number)
        topic = f"channel {number}" if channel is None else channel.topic
        for time_ns, _ in struct.iter_unpack("<QQ", index[6 : 6 + length]):
            yield topic, time_ns


def _positions(summary: Summary) -> tuple[int, ...]:
    chunks = [index.chunk_start_offset for index in summary.chunk_indexes]
    others = [index.offset for index in (*summary.attachment_indexes, *summary.metadata_indexes)]
    return tuple(sorted(chunks + others))


def _summary(stream: BinaryIO) -> Summary | None:
    """What the file's end says that it holds; None without an end, or with one that is damaged."""
    try:
        stream.seek(-_END.size, os.SEEK_END)
        _, _, start, _, expected, magic = _END.unpack(stream.read(_END.size))
        end = stream.tell() - len(magic) - 4  # the checksum covers all before itself
        if magic != records.MAGIC or not 0 < start < end:
            return None
        stream.seek(start)
        if expected and zlib.crc32(stream.read(end - start)) != expected:  # 0 is none
            return None
        stream.seek(0)
        return SeekingReader(stream, record_size_limit=None).get_summary()
    except DAMAGE:
        return None
