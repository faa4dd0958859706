"""A whole, indexed file from a log that was cut off or damaged: every message, attachment and record that is left."""

from __future__ import annotations

from pathlib import Path

from mcap.writer import CompressionType, Writer

from tandem.bridge.log.atomic import replacing
from tandem.bridge.log.channels import CHUNK_BYTES
from tandem.bridge.log.parts import NEXT, PART, Joined, open_parts
from tandem.bridge.log.plain import plain_json
from tandem.bridge.log.source import Source, damage_named
from tandem.bridge.log.topics import RECOVERY


def rescue(path: Path, out: Path) -> str:
    """Write what can be read of a log into a new file; returns how much that is, in words.

    The new file says in its record "recovery" that it is not the log as it was made. Raises `LogUnreadable`, and
    `LogUnwritable` for a file that cannot be made; what is there is replaced only when all is done.
    """
    source = open_parts(path)
    words = source.recovered or f"recovered {sum(source.counts.values())} messages of a whole log"
    with replacing(out) as draft, draft.open("xb") as stream:
        writer = Writer(stream, chunk_size=CHUNK_BYTES, compression=CompressionType.LZ4)
        writer.start(profile="tandem")
        with damage_named(path):
            _copy(source, writer)
        if source.recovered:
            gaps = [(one.start, one.end, str(one)) for one in source.damage]
            told = {"words": source.recovered, "from": path.name, "gaps": gaps}
            writer.add_metadata(RECOVERY, {name: plain_json(value) for name, value in told.items()})
        writer.finish()
    return words


def _copy(source: Source | Joined, writer: Writer) -> None:
    for name, texts in source.metadata.items():
        if name not in (PART, NEXT, "result"):
            writer.add_metadata(name, texts)
    for record in source.attachments():
        writer.add_attachment(record.create_time, record.log_time, record.name, record.media_type, record.data)
    channels = _channels(source, writer)
    counts = dict.fromkeys(channels, 0)
    for logged in source.messages(*channels):
        time_ns = round(logged.time_s * 1e9)
        counts[logged.topic] += 1
        writer.add_message(channels[logged.topic], time_ns, logged.data, time_ns, counts[logged.topic])
    if "result" in source.metadata:
        writer.add_metadata("result", source.metadata["result"])


def _channels(source: Source | Joined, writer: Writer) -> dict[str, int]:
    """Register every channel; its number by topic."""
    schemas, channels = {}, {}
    for topic, schema in source.schemas.items():
        if schema is not None and (schema.name, schema.data) not in schemas:
            number = writer.register_schema(schema.name, schema.encoding, schema.data)
            schemas[schema.name, schema.data] = number
        number = 0 if schema is None else schemas[schema.name, schema.data]
        channels[topic] = writer.register_channel(
            topic, source.encodings[topic], number, source.channel_metadata[topic]
        )
    return channels
