"""The thread that writes a log. Whatever goes wrong here is kept, and raised on the thread that records."""

from __future__ import annotations

import threading
import time

from tandem.bridge.contract.errors import LogUnwritable
from tandem.bridge.log.backlog import Backlog
from tandem.bridge.log.channels import Channels
from tandem.bridge.log.entries import RecordEntry, TailEntry
from tandem.bridge.log.file import LogFile
from tandem.bridge.log.pictures import PicturePolicy

FLUSH_S = 0.5  # what a kill may cost, at most, when little is written


class Writer:
    """Takes entries from a backlog and writes them into a file, on a thread of its own, until closed.

    Args:
        file: where to.
        backlog: where from.
        pictures: how pictures are encoded.
    """

    def __init__(self, file: LogFile, backlog: Backlog, pictures: PicturePolicy):
        self._file, self._backlog, self._pictures = file, backlog, pictures
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=f"log {file.path.name}", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise `LogUnwritable` if writing has failed at any time."""
        if self._failure is not None:
            raise LogUnwritable(
                f"cannot go on writing {self._file.path}: {self._failure}. Its first {self._file.size} bytes stay "
                "readable. Free some space, or choose a folder on another disk"
            ) from self._failure

    def close(self) -> None:
        """Write what waits, the summary, and close the file. Raises nothing: `check` tells."""
        self._backlog.close()
        self._thread.join()

    def _run(self) -> None:
        entries = self._backlog.drain()
        try:
            self._write_all(entries)
        except Exception as reason:  # noqa: BLE001 - whatever it is, `check` raises it on the recording thread
            self._failure = self._file.error or reason
            for _ in entries:  # nobody may hang on a backlog that no one empties
                pass
        self._file.close()

    def _write_all(self, entries: object) -> None:
        channels, flushed, dirty = Channels(self._file, self._pictures), time.monotonic(), False
        try:
            for entry in entries:
                if entry is not None:
                    channels.write(entry)
                    dirty = True
                due = time.monotonic() - flushed > FLUSH_S
                if dirty and (due or isinstance(entry, (RecordEntry, TailEntry))):
                    channels.flush()
                    flushed, dirty = time.monotonic(), False
                if self._file.error is not None:  # the MCAP writer keeps it to itself
                    raise self._file.error
        finally:
            channels.close()
