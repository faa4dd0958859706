"""What the control thread hands to the writer: small, immutable, already copied where the world moves on.

On the way to the writing process an entry is a head of plain values and, for a picture, a body of bytes. The head goes
by `marshal`: both ends are the same interpreter, nobody else ever reads it, and it is ten times as fast.
"""

from __future__ import annotations

import marshal
import time
from typing import NamedTuple

import numpy as np

from tandem.bridge.contract import observation as keys
from tandem.bridge.contract.episode import Step
from tandem.bridge.contract.observation import Observation
from tandem.bridge.log.schemas import doubles

_MEASURED = (keys.JOINT_POSITION, keys.JOINT_VELOCITY, keys.GRIPPER_OPENING, keys.TOOL_POSE)


def nanoseconds(time_s: float) -> int:
    """A body time as the log's stamp."""
    return round(time_s * 1e9)


def time_of(observation: Observation) -> int:
    """The body time of an observation, ns."""
    return nanoseconds(float(observation[keys.TIME][0]))


class MeasuredEntry(NamedTuple):
    """What was measured after step `index`, and the simulator's state then; arrays as bytes of float64."""

    time_ns: int
    index: int
    measured: tuple[bytes, ...]
    state: bytes | None

    @classmethod
    def of(cls, observation: Observation, index: int, state: np.ndarray | None) -> MeasuredEntry:
        """Copies what a later step would overwrite."""
        measured = tuple([doubles(observation[key]) for key in _MEASURED])
        return cls(time_of(observation), index, measured, None if state is None else doubles(state))


class StepEntry(NamedTuple):
    """One control step: what the policy put out, what was carried out, what was measured after it."""

    time_ns: int
    index: int
    subgoal: int
    phase: str
    held: bool
    wall_time: float
    action: bytes
    command: bytes
    after: MeasuredEntry

    @classmethod
    def of(cls, step: Step, state: np.ndarray | None) -> StepEntry:
        """Copies what a later step would overwrite."""
        return cls(
            time_of(step.before), int(step.index), int(step.subgoal), str(step.phase), bool(step.held), time.time(),
            doubles(step.action), doubles(step.command), MeasuredEntry.of(step.observation, int(step.index), state),
        )


class PictureEntry(NamedTuple):
    """One array that was looked at, by its observation key. It belongs to the observation; the backlog copies it."""

    time_ns: int
    key: str
    array: np.ndarray


class RecordEntry(NamedTuple):
    """A sparse record, as JSON text for `topic`; with `message` it also becomes a line of the console log."""

    time_ns: int
    topic: str
    text: str
    message: str = ""
    level: str = "Info"
    source: str = ""


class HeadEntry(NamedTuple):
    """What opens a log: the manifest as JSON texts by key, and the files attached, (name, media type, content)."""

    manifest: dict[str, str]
    attachments: tuple[tuple[str, str, bytes], ...]
    state_metadata: dict[str, str]


class TailEntry(NamedTuple):
    """What closes a log: the result as JSON texts by key."""

    result: dict[str, str]


def pictures_of(observation: Observation) -> dict[str, np.ndarray]:
    """The images and depth maps that were looked at: of a plain mapping all that it holds."""
    looked_at = getattr(observation, "looked_at", None)
    arrays = looked_at() if looked_at is not None else observation
    return {key: arrays[key] for key in arrays if key.startswith(("image.", "depth."))}


Entry = HeadEntry | MeasuredEntry | StepEntry | PictureEntry | RecordEntry | TailEntry
_KINDS: tuple[type[Entry], ...] = (HeadEntry, MeasuredEntry, StepEntry, PictureEntry, RecordEntry, TailEntry)
_NUMBERS = {kind: number for number, kind in enumerate(_KINDS)}


def pack(entry: Entry) -> tuple[bytes, memoryview | bytes]:
    """The head and the body of an entry."""
    kind, body = type(entry), b""
    if kind is PictureEntry:
        array = np.ascontiguousarray(entry.array)
        body, fields = array.data.cast("B"), (entry.time_ns, entry.key, array.dtype.str, array.shape)
    elif kind is StepEntry:
        fields = (*entry[:-1], tuple(entry.after))
    else:
        fields = tuple(entry)
    return marshal.dumps((_NUMBERS[kind], fields)), body


def unpack(head: bytes | memoryview, body: memoryview) -> Entry:
    """The entry of a head and a body; the array of a picture is a view of the body."""
    number, fields = marshal.loads(head)
    kind = _KINDS[number]
    if kind is PictureEntry:
        time_ns, key, dtype, shape = fields
        return PictureEntry(time_ns, key, np.frombuffer(body, dtype).reshape(shape))
    if kind is StepEntry:
        return StepEntry(*fields[:-1], MeasuredEntry(*fields[-1]))
    return kind(*fields)
