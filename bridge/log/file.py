"""The file under a log: made exclusively, written at once, cut back to its last whole record when a write fails.

The MCAP writer only reports that *something* went wrong. This file remembers what, and leaves nothing half-written.
"""

from __future__ import annotations

import os
import shutil
from itertools import chain, count
from pathlib import Path

from tandem.bridge.contract.errors import LogUnwritable

MIN_FREE_BYTES = 64 * 2**20  # less than this on the disk, and no episode starts


def next_free(folder: Path | str, name: str) -> Path:
    """The first of `name.mcap`, `name-2.mcap`, ... that is not in `folder` yet; the folder is made.

    Raises `LogUnwritable` when it cannot be made.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as reason:
        raise LogUnwritable(f"cannot make {folder}: {reason.strerror}. Choose another folder") from reason
    return _free(folder, name, ".mcap")


def _free(folder: Path, name: str, suffix: str) -> Path:
    numbered = (folder / f"{name}{mark}{suffix}" for mark in chain([""], map("-{}".format, count(2))))
    return next(path for path in numbered if not path.exists())


class LogFile:
    """A new file that the MCAP writer writes into.

    Args:
        path: must not exist yet.
        min_free_bytes: what the disk must have left.

    Attributes:
        descriptor: of the open file, -1 once closed.
        size: bytes written so far.
        error: the first write that failed, None while all went well.

    Raises `LogUnwritable` when the file cannot be made.
    """

    def __init__(self, path: Path, *, min_free_bytes: int = MIN_FREE_BYTES):
        self.path, self.size = Path(path), 0
        self.error: OSError | None = None
        _check_folder(self.path.parent, min_free_bytes)
        try:
            self.descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        except FileExistsError as reason:
            free = _free(self.path.parent, self.path.stem, self.path.suffix)
            raise LogUnwritable(f"{self.path} exists and is never overwritten. Free: {free}") from reason
        except OSError as reason:
            raise LogUnwritable(
                f"cannot write {self.path}: {reason.strerror}. Choose a folder that you may write to"
            ) from reason

    @classmethod
    def of(cls, path: Path, descriptor: int) -> LogFile:
        """The same file in another process, which was given its descriptor; nothing is written yet."""
        file = cls.__new__(cls)
        file.path, file.size, file.error, file.descriptor = path, 0, None, descriptor
        return file

    def write(self, data: bytes) -> int:
        """Append all of `data`, or nothing of it."""
        if self.error is not None:
            raise self.error
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self.descriptor, rest):]
        except OSError as reason:
            self.error = reason
            os.ftruncate(self.descriptor, self.size)
            os.lseek(self.descriptor, self.size, os.SEEK_SET)
            raise
        self.size += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        """The present position; the log is written front to back and asks for nothing else."""
        return self.size

    def flush(self) -> None:
        """Nothing is held back here."""

    def close(self) -> None:
        """Close the descriptor. Calling it twice is allowed."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def discard(self) -> None:
        """Close, and remove the file: nothing worth keeping came to be written."""
        self.close()
        self.path.unlink(missing_ok=True)


def _check_folder(folder: Path, min_free_bytes: int) -> None:
    if not folder.is_dir():
        raise LogUnwritable(f"the folder {folder} does not exist. Make it with: mkdir -p {folder}")
    free = shutil.disk_usage(folder).free
    if free < min_free_bytes:
        raise LogUnwritable(
            f"{folder} has {free / 2**20:.0f} MiB left, an episode asks for {min_free_bytes / 2**20:.0f} MiB. "
            "Free some space, or choose a folder on another disk"
        )
