"""Messages of a log as values: of the channels that this package writes, and as plain types of any other."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import numpy as np
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from tandem.bridge.log import topics
from tandem.bridge.log.schemas import message_class
from tandem.bridge.log.source import Logged
from tandem.bridge.log.values import LoggedStep, Measurement

_SHOWN_BYTES = 64


def parsed(schema: Any, data: bytes) -> Any:
    """The protobuf message of a content."""
    return message_class(schema.name, schema.data).FromString(data)


def array(values: Any) -> np.ndarray:
    """(N,) float64 of a repeated field."""
    return np.fromiter(values, np.float64, len(values))


def measurement(time_s: float, message: Any) -> Measurement:
    """Of a message of `topics.MEASURED`."""
    fields = (message.joint_position, message.joint_velocity, message.gripper_opening, message.tool_pose)
    return Measurement(message.index, time_s, *map(array, fields))


def step(parts: dict[str, tuple[float, Any]]) -> LoggedStep:
    """Of the times and messages of one control step, by topic."""
    time_s, action = parts[topics.ACTION]
    command, measured = array(parts[topics.COMMAND][1].values), measurement(*parts[topics.MEASURED])
    return LoggedStep(
        action.index, time_s, array(action.values), command, measured, action.phase, action.subgoal, action.held,
        action.wall_time,
    )


def plain(logged: Logged, encoding: str) -> Any:
    """A message as plain types; long bytes are told by their number and sha256, what cannot be decoded too."""
    if encoding == "json":
        return json.loads(logged.data)
    if encoding == "protobuf" and logged.schema is not None:
        return _fields(parsed(logged.schema, logged.data))
    return {"encoding": encoding, "data": _bytes(logged.data)}


def _fields(message: Message) -> dict[str, Any]:
    return {field.name: _field(field, getattr(message, field.name)) for field in message.DESCRIPTOR.fields}


def _field(field: FieldDescriptor, value: Any) -> Any:
    if field.is_repeated:
        return [_value(field, one) for one in value]
    return _value(field, value)


def _value(field: FieldDescriptor, value: Any) -> Any:
    if field.message_type is not None:
        return _fields(value)
    if field.enum_type is not None:
        return field.enum_type.values_by_number[value].name
    return _bytes(value) if isinstance(value, bytes) else value


def _bytes(data: bytes) -> str:
    return data.hex() if len(data) <= _SHOWN_BYTES else f"{len(data)} bytes, sha256 {sha256(data).hexdigest()}"
