"""The channels of an episode log: each entry becomes messages here. Runs in the writing process only."""

from __future__ import annotations

import time
from functools import partial

import foxglove
from foxglove.channels import CompressedImageChannel, LogChannel
from foxglove.mcap import MCAPCompression, MCAPWriteOptions
from foxglove.messages import CompressedImage, Log, LogLevel, Timestamp

from tandem.bridge.log import schemas
from tandem.bridge.log.entries import HeadEntry, MeasuredEntry, PictureEntry, RecordEntry, StepEntry, TailEntry
from tandem.bridge.log.file import LogFile
from tandem.bridge.log.pictures import DEPTH_UNIT_M, PicturePolicy, digest, encode_depth, encode_image
from tandem.bridge.log.topics import ACTION, COMMAND, EVENT, MEASURED, SEEN, STATE, picture_topic

CHUNK_BYTES = 64 * 1024  # what a kill may cost, at most


def _stamp(time_ns: int) -> Timestamp:
    return Timestamp(time_ns // 10**9, time_ns % 10**9)


class Channels:
    """Everything that writes into one MCAP file, in a context of its own so that two logs never mix."""

    def __init__(self, file: LogFile, pictures: PicturePolicy):
        self._pictures, self._context, self._state_metadata = pictures, foxglove.Context(), {}
        self._channels: dict[str, foxglove.Channel | CompressedImageChannel | LogChannel] = {}
        options = MCAPWriteOptions(
            compression=MCAPCompression.Lz4, compression_threads=0, chunk_size=CHUNK_BYTES, disable_seeking=True,
            profile="tandem",
        )
        self._mcap = foxglove.open_mcap(file, context=self._context, writer_options=options)
        self._write = {
            HeadEntry: self._head, MeasuredEntry: self._measured, StepEntry: self._step, PictureEntry: self._picture,
            RecordEntry: self._record, TailEntry: self._tail,
        }
        self.flush = self._mcap.flush

    def write(self, entry: object) -> None:
        """Write one entry."""
        self._write[type(entry)](entry)

    def note(self, name: str, texts: dict[str, str]) -> None:
        """Write a metadata record."""
        self._mcap.write_metadata(name, texts)

    def close(self) -> None:
        """Write the summary and let go of every channel."""
        try:
            self._mcap.close()
        finally:
            for channel in self._channels.values():
                channel.close()

    def _head(self, entry: HeadEntry) -> None:
        self._mcap.write_metadata("manifest", entry.manifest)
        now = time.time_ns()
        for name, media_type, data in entry.attachments:
            self._mcap.attach(log_time=0, create_time=now, name=name, media_type=media_type, data=data)
        self._state_metadata = entry.state_metadata

    def _tail(self, entry: TailEntry) -> None:
        self._mcap.write_metadata("result", entry.result)

    def _measured(self, entry: MeasuredEntry) -> None:
        index = schemas.own("Measured")(index=entry.index).SerializeToString()
        fields = [schemas.packed(number, raw) for number, raw in enumerate(entry.measured, start=1)]
        self._protobuf(MEASURED, "Measured").log(b"".join(fields) + index, log_time=entry.time_ns)
        if entry.state is not None:
            data = schemas.packed(1, entry.state) + schemas.own("State")(index=entry.index).SerializeToString()
            self._protobuf(STATE, "State", self._state_metadata).log(data, log_time=entry.time_ns)

    def _step(self, entry: StepEntry) -> None:
        action = schemas.own("Action")(
            index=entry.index, subgoal=entry.subgoal, phase=entry.phase, held=entry.held, wall_time=entry.wall_time
        ).SerializeToString()
        command = schemas.own("Command")(index=entry.index).SerializeToString()
        self._protobuf(ACTION, "Action").log(schemas.packed(1, entry.action) + action, log_time=entry.time_ns)
        self._protobuf(COMMAND, "Command").log(schemas.packed(1, entry.command) + command, log_time=entry.time_ns)
        self._measured(entry.after)

    def _picture(self, entry: PictureEntry) -> None:
        array, topic, depth = entry.array, picture_topic(entry.key), entry.key.startswith("depth.")
        data = encode_depth(array) if depth else encode_image(array, self._pictures)
        image = CompressedImage(
            timestamp=_stamp(entry.time_ns), frame_id=entry.key.split(".", 1)[1], data=data,
            format="png" if depth else self._pictures.format,
        )
        metadata = {"unit_m": str(DEPTH_UNIT_M)} if depth else {}
        make = partial(CompressedImageChannel, metadata=metadata, context=self._context)
        self._channel(topic, make).log(image, log_time=entry.time_ns)
        seen = schemas.own("Seen")(key=entry.key, digest=digest(array), shape=array.shape, dtype=str(array.dtype))
        self._protobuf(SEEN, "Seen").log(seen.SerializeToString(), log_time=entry.time_ns)

    def _record(self, entry: RecordEntry) -> None:
        make = partial(foxglove.Channel, message_encoding="json", context=self._context)
        self._channel(entry.topic, make).log(entry.text, log_time=entry.time_ns)
        if entry.message:
            line = Log(
                timestamp=_stamp(entry.time_ns), level=getattr(LogLevel, entry.level), message=entry.message,
                name=entry.source,
            )
            self._channel(EVENT, partial(LogChannel, context=self._context)).log(line, log_time=entry.time_ns)

    def _protobuf(self, topic: str, name: str, metadata: dict[str, str] | None = None) -> foxglove.Channel:
        return self._channels.get(topic) or self._channel(topic, partial(self._make_protobuf, name, metadata))

    def _make_protobuf(self, name: str, metadata: dict[str, str] | None, topic: str) -> foxglove.Channel:
        schema = foxglove.Schema(name=f"{schemas.PACKAGE}.{name}", encoding="protobuf", data=schemas.descriptor_set())
        return foxglove.Channel(
            topic, schema=schema, message_encoding="protobuf", metadata=metadata, context=self._context
        )

    def _channel(self, topic: str, make: partial) -> foxglove.Channel | CompressedImageChannel | LogChannel:
        if topic not in self._channels:
            self._channels[topic] = make(topic)
        return self._channels[topic]
