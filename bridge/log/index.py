"""Random access: where each message of a log lies, and one message read without those before it.

Made from the index records that follow each chunk, so a log without an end has one, too; only the offsets are held.
"""

from __future__ import annotations

import struct
import zlib
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple

import lz4.frame
import zstandard

from tandem.bridge.contract.errors import LogUnreadable

_MAGIC_BYTES = 8
_RECORD = struct.Struct("<BQ")  # opcode, length
_CHUNK = struct.Struct("<QQQII")  # start time, end time, uncompressed size, its checksum, length of the codec's name
_MESSAGE = struct.Struct("<HIQQ")  # channel, sequence, log time, publish time
_SCHEMA, _CHANNEL, _MESSAGE_OP, _CHUNK_OP, _INDEX_OP, _DATA_END = 3, 4, 5, 6, 7, 15
_HELD = 4  # chunks kept unpacked


class Place(NamedTuple):
    """Where a message lies: its time in ns, the chunk's position in the file, the record's within the chunk."""

    time_ns: int
    chunk: int
    offset: int


class Index:
    """The places of every message.

    Args:
        path: the log.
        topics: by channel id.

    Raises `LogUnreadable` for a chunk that is damaged, when it is read.
    """

    def __init__(self, path: Path, topics: Mapping[int, str]):
        self._path, self._chunks, places = path, dict[int, bytes](), {}
        with path.open("rb") as stream:
            for channel, place in _places(stream, path.stat().st_size):
                places.setdefault(topics.get(channel, ""), []).append(place)
        self.places: dict[str, list[Place]] = {topic: sorted(found) for topic, found in places.items()}

    def latest(self, topic: str, time_ns: int) -> int | None:
        """Number of the last message of a topic at that time or before, None when there is none."""
        found = bisect_right(self.places.get(topic, ()), time_ns, key=lambda place: place.time_ns) - 1
        return found if found >= 0 else None

    def read(self, topic: str, number: int) -> bytes:
        """The content of a topic's message."""
        place = self.places[topic][number]
        chunk = self._chunks.pop(place.chunk, None) or self._unpacked(place.chunk)
        self._chunks[place.chunk] = chunk  # the one used last stands last
        if len(self._chunks) > _HELD:
            self._chunks.pop(next(iter(self._chunks)))
        _, length = _RECORD.unpack_from(chunk, place.offset)
        begin = place.offset + _RECORD.size
        return chunk[begin + _MESSAGE.size : begin + length]

    def _unpacked(self, position: int) -> bytes:
        with self._path.open("rb") as stream:
            stream.seek(position)
            _, length = _RECORD.unpack(stream.read(_RECORD.size))
            try:
                return _unpack(stream.read(length))
            except (ValueError, RuntimeError, struct.error, zstandard.ZstdError) as reason:
                raise LogUnreadable(f"{self._path} is damaged: the chunk at byte {position}: {reason}") from reason


def _places(stream: BinaryIO, size: int) -> Iterator[tuple[int, Place]]:
    """Channel and place of every message, chunk by chunk, up to the first record that is cut."""
    position, chunk, told = _MAGIC_BYTES, None, True
    while True:
        stream.seek(position)
        head = stream.read(_RECORD.size)
        opcode, length = _RECORD.unpack(head) if len(head) == _RECORD.size else (_DATA_END, 0)
        if opcode != _INDEX_OP and chunk is not None and not told:
            yield from _listed(stream, chunk)
        if opcode == _DATA_END or position + _RECORD.size + length > size:
            return
        if opcode == _CHUNK_OP:
            chunk, told = position, False
        elif opcode == _INDEX_OP:
            stream.seek(position + _RECORD.size)
            yield from _indexed(stream.read(length), chunk)
            told = True
        elif opcode not in (_SCHEMA, _CHANNEL):
            told = True
        position += _RECORD.size + length


def _indexed(record: bytes, chunk: int) -> Iterator[tuple[int, Place]]:
    channel, length = struct.unpack_from("<HI", record)
    for time_ns, offset in struct.iter_unpack("<QQ", record[6 : 6 + length]):
        yield channel, Place(time_ns, chunk, offset)


def _listed(stream: BinaryIO, chunk: int) -> Iterator[tuple[int, Place]]:
    """Of a chunk whose index the cut took away."""
    stream.seek(chunk)
    _, length = _RECORD.unpack(stream.read(_RECORD.size))
    try:
        records = _unpack(stream.read(length))
    except (ValueError, RuntimeError, struct.error, zstandard.ZstdError):
        return
    offset = 0
    while offset + _RECORD.size <= len(records):
        opcode, size = _RECORD.unpack_from(records, offset)
        if opcode == _MESSAGE_OP:
            channel, _, time_ns, _ = _MESSAGE.unpack_from(records, offset + _RECORD.size)
            yield channel, Place(time_ns, chunk, offset)
        offset += _RECORD.size + size


def _unpack(chunk: bytes) -> bytes:
    """The records of a chunk. Raises ValueError when their checksum is wrong."""
    _, _, size, expected, length = _CHUNK.unpack_from(chunk)
    codec = chunk[_CHUNK.size : _CHUNK.size + length].decode()
    packed = memoryview(chunk)[_CHUNK.size + length + 8 :]
    match codec:
        case "lz4":
            records = lz4.frame.decompress(packed)
        case "zstd":
            records = zstandard.ZstdDecompressor().decompress(packed, max_output_size=size)
        case "":
            records = bytes(packed)
        case _:
            raise ValueError(f"the compression {codec!r} is unknown")
    if expected and zlib.crc32(records) != expected:
        raise ValueError("its checksum is wrong")
    return records
