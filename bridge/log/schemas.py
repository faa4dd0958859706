"""The protobuf messages of an episode log that Foxglove has no schema for, described here and nowhere else.

The descriptors are built when the module is loaded, so there is no generated code and no compiler. They travel in the
file itself: any MCAP reader decodes a log without this package. Sparse, free-form records (plans, events, the score)
are JSON channels instead, because their nesting is the planner's and not ours.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_FIELD = descriptor_pb2.FieldDescriptorProto
_TYPES = {
    "double": _FIELD.TYPE_DOUBLE, "int64": _FIELD.TYPE_INT64, "bool": _FIELD.TYPE_BOOL,
    "string": _FIELD.TYPE_STRING, "bytes": _FIELD.TYPE_BYTES,
}
PACKAGE = "tandem"
_DOUBLE = np.dtype("<f8")

MESSAGES: dict[str, dict[str, str]] = {
    # What the policy put out: laid out as the manifest's spec.action says. `index` counts control steps from 0.
    "Action": {
        "values": "double*", "index": "int64", "subgoal": "int64", "phase": "string", "held": "bool",
        "wall_time": "double",  # s since 1970
    },
    # What the body carried out, after safety; same layout.
    "Command": {"values": "double*", "index": "int64"},
    # What the body measured after step `index` (-1: before the first). rad, rad/s, 0..1, m and quaternion wxyz.
    "Measured": {
        "joint_position": "double*", "joint_velocity": "double*", "gripper_opening": "double*", "tool_pose": "double*",
        "index": "int64",
    },
    # The simulator's whole state after step `index` (-1: before the first); its layout is in the channel's metadata.
    "State": {"values": "double*", "index": "int64"},
    # Which array was looked at: sha256 of the exact bytes, so that a lossy picture still proves what was seen.
    "Seen": {"key": "string", "digest": "bytes", "shape": "int64*", "dtype": "string"},
}
"""By message name, its fields in the order of their numbers from 1; `*` marks a repeated field."""


def _message(name: str, fields: dict[str, str]) -> descriptor_pb2.DescriptorProto:
    message = descriptor_pb2.DescriptorProto(name=name)
    for number, (field, kind) in enumerate(fields.items(), start=1):
        label = _FIELD.LABEL_REPEATED if kind.endswith("*") else _FIELD.LABEL_OPTIONAL
        message.field.add(name=field, number=number, type=_TYPES[kind.rstrip("*")], label=label)
    return message


@cache
def descriptor_set() -> bytes:
    """The serialised `FileDescriptorSet` that describes every message above."""
    file = descriptor_pb2.FileDescriptorProto(name="tandem.proto", package=PACKAGE, syntax="proto3")
    file.message_type.extend(_message(name, fields) for name, fields in MESSAGES.items())
    return descriptor_pb2.FileDescriptorSet(file=[file]).SerializeToString()


@cache
def message_class(schema_name: str, schema_data: bytes) -> type[Any]:
    """The class that parses messages of a schema found in a file."""
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(schema_data).file:
        pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(schema_name))


@cache
def own(name: str) -> type[Any]:
    """The class of one of the messages above, by its name there."""
    return message_class(f"{PACKAGE}.{name}", descriptor_set())


def doubles(array: np.ndarray) -> bytes:
    """A copy of an array as little-endian float64: what protobuf puts into a packed field, bit for bit."""
    return np.asarray(array, dtype=_DOUBLE).tobytes()


def packed(number: int, raw: bytes) -> bytes:
    """A `repeated double` field of that number (1 to 15) on the wire, without a Python float for each element."""
    head, length = bytearray([number << 3 | 2]), len(raw)
    while length > 0x7F:
        head.append(length & 0x7F | 0x80)
        length >>= 7
    head.append(length)
    return bytes(head) + raw
