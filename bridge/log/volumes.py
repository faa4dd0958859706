"""The file that is being written, and the next one when it is large or long enough. Runs in the writing process only.

A part ends between two control steps, and is a whole log: whoever opens one alone finds the manifest and the model.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from tandem.bridge.contract.errors import InvalidOption
from tandem.bridge.log.channels import Channels
from tandem.bridge.log.entries import Entry, HeadEntry, StepEntry
from tandem.bridge.log.file import LogFile
from tandem.bridge.log.parts import NEXT, PART, part_path
from tandem.bridge.log.pictures import PicturePolicy
from tandem.bridge.log.plain import plain_json


@dataclass(frozen=True)
class Rotation:
    """When a log goes on in another file.

    Attributes:
        rotate_bytes: once so much was written into one besides its manifest and model; None for never.
        rotate_s: once one holds so much body time; None for never.
    """

    rotate_bytes: int | None = None
    rotate_s: float | None = None

    def __post_init__(self):
        for name, value in vars(self).items():
            if value is not None and not value > 0:
                raise InvalidOption(f"{name} must be positive or None, got {value}")

    def __bool__(self) -> bool:
        return self.rotate_bytes is not None or self.rotate_s is not None

    def due(self, size: int, lasted_s: float) -> bool:
        """Whether a part of that size (bytes) and length (s) is full."""
        full = self.rotate_bytes is not None and size >= self.rotate_bytes
        return full or (self.rotate_s is not None and lasted_s >= self.rotate_s)


class Volumes:
    """Writes entries into one file after the other.

    Args:
        file: the first one.
        pictures: how pictures are encoded.
        rotation: when another one is begun.

    Attributes:
        file: the present one.
    """

    def __init__(self, file: LogFile, pictures: PicturePolicy, rotation: Rotation):
        self.file, self._first, self._pictures, self._rotation = file, file.path, pictures, rotation
        self._channels, self._number, self._run = Channels(file, pictures), 1, uuid4().hex
        self._head: HeadEntry | None = None
        self._begun_size, self._begun_ns = 0, None

    def write(self, entry: Entry) -> None:
        """Write one entry; a full file is closed before the next control step."""
        if self._rotation:
            if isinstance(entry, HeadEntry):
                self._head = entry
                self._note_part(None)
            elif isinstance(entry, StepEntry):
                self._turn_over(entry.time_ns)
        self._channels.write(entry)
        if isinstance(entry, HeadEntry):
            self._begun_size = self.file.size

    def flush(self) -> None:
        """Hand what there is to the disk."""
        self._channels.flush()

    def close(self) -> None:
        """Write the summary."""
        self._channels.close()

    def _turn_over(self, time_ns: int) -> None:
        if self._begun_ns is None:
            self._begun_ns = time_ns
        if not self._rotation.due(self.file.size - self._begun_size, (time_ns - self._begun_ns) / 1e9):
            return
        self._channels.flush()
        previous, following = self.file.path, part_path(self._first, self._number + 1)
        file = LogFile(following, min_free_bytes=0)
        self._channels.note(NEXT, {"part": plain_json(following.name)})
        self._channels.close()
        self.file.close()
        self.file, self._number, self._begun_ns = file, self._number + 1, time_ns
        self._channels = Channels(file, self._pictures)
        self._note_part(previous)
        self._channels.write(self._head)
        self._begun_size = file.size

    def _note_part(self, previous: Path | None) -> None:
        told = {"number": self._number, "run": self._run, "previous": previous and previous.name}
        self._channels.note(PART, {name: plain_json(value) for name, value in told.items()})
