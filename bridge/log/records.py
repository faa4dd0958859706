"""The records of an MCAP file as they lie in it: from the front, and past whatever is damaged.

The library's readers stop at the first byte that is wrong. Here a record is trusted when another follows it where it
says that it ends; where none does, the walk goes on at the next chunk that can be found. Memory: one record's head, or
one window of a search.
"""

from __future__ import annotations

import re
import struct
import zlib
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import BinaryIO, NamedTuple

import lz4.frame
import zstandard

MAGIC = b"\x89MCAP0\r\n"
HEAD = struct.Struct("<BQ")  # opcode, length
CHUNK_HEAD = struct.Struct("<QQQII")  # start time, end time, uncompressed size, its checksum, length of codec's name
MESSAGE_HEAD = struct.Struct("<HIQQ")  # channel, sequence, log time, publish time
FOOTER, SCHEMA, CHANNEL, MESSAGE, CHUNK, INDEX, ATTACHMENT, METADATA, DATA_END = 2, 3, 4, 5, 6, 7, 9, 12, 15
UNPACKING = (ValueError, RuntimeError, struct.error, zstandard.ZstdError)  # what a damaged chunk raises
_LAST_OPCODE = DATA_END
_CODECS = re.compile(rb"\x03\x00\x00\x00lz4|\x04\x00\x00\x00zstd")  # in a chunk's head, after the times and sizes
_BEFORE_CODEC = HEAD.size + CHUNK_HEAD.size - 4
_WINDOW = 2**20


class Block(NamedTuple):
    """A record of the file: what it is, where it begins, where its content begins and how long that is."""

    opcode: int
    start: int
    length: int

    @property
    def content(self) -> int:
        """Position of its content."""
        return self.start + HEAD.size

    @property
    def end(self) -> int:
        """Position behind it."""
        return self.start + HEAD.size + self.length


class Hole(NamedTuple):
    """Bytes of the file that no record could be made of."""

    start: int
    end: int


def walk(stream: BinaryIO, size: int, known: Sequence[int] = ()) -> Iterator[Block | Hole]:
    """Every record up to the end of the data, and the holes between them.

    Args:
        stream: of the whole file.
        size: bytes of it.
        known: positions at which records begin, ascending, as a summary lists them.
    """
    position, last = len(MAGIC), len(MAGIC)
    while position < size:
        block = _block(stream, size, position)
        if block is None:
            found = _next_chunk(stream, size, last + 1, known)
            yield Hole(min(position, found), found)
            position = last = found
            continue
        yield block
        if block.opcode in (DATA_END, FOOTER):
            return
        position, last = block.end, block.start


def _block(stream: BinaryIO, size: int, position: int) -> Block | None:
    stream.seek(position)
    head = stream.read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    opcode, length = HEAD.unpack(head)
    block = Block(opcode, position, length)
    return block if 0 < opcode <= _LAST_OPCODE and block.end <= size else None


def _next_chunk(stream: BinaryIO, size: int, after: int, known: Sequence[int]) -> int:
    """Where the next chunk seems to begin, or a record that is known; the file's size when there is none."""
    at = bisect_left(known, after)
    limit = known[at] if at < len(known) else size
    for begin in range(after, limit, _WINDOW):
        stream.seek(begin)
        window = stream.read(_WINDOW + 2 * _BEFORE_CODEC)
        for match in _CODECS.finditer(window):
            start = begin + match.start() - _BEFORE_CODEC
            if after <= start < limit and _is_chunk(stream, size, start):
                return start
    return limit


def _is_chunk(stream: BinaryIO, size: int, start: int) -> bool:
    block = _block(stream, size, start)
    if block is None or block.opcode != CHUNK:
        return False
    return block.end == size or _block(stream, size, block.end) is not None


def content(stream: BinaryIO, block: Block) -> bytes:
    """The content of a record."""
    stream.seek(block.content)
    return stream.read(block.length)


def unpack(chunk: bytes) -> bytes:
    """The records of a chunk. Raises one of `UNPACKING`, a ValueError when their checksum is wrong."""
    _, _, size, expected, length = CHUNK_HEAD.unpack_from(chunk)
    codec = chunk[CHUNK_HEAD.size : CHUNK_HEAD.size + length].decode()
    packed = memoryview(chunk)[CHUNK_HEAD.size + length + 8 :]
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


def records_in(chunk: bytes) -> Iterator[tuple[int, int, int]]:
    """Opcode, offset of the content and its length, of each record of an unpacked chunk."""
    offset, last = 0, len(chunk) - HEAD.size
    while offset <= last:
        opcode, length = HEAD.unpack_from(chunk, offset)
        offset += HEAD.size
        if offset + length > len(chunk):
            raise ValueError("a record of it is longer than it")
        yield opcode, offset, length
        offset += length
