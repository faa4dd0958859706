"""The process that writes a log, as the recording process sees it. What goes wrong there is raised here.

Encoding a picture takes as long as a good part of a control step, and a thread that does it takes the interpreter lock
from the control thread at every turn. A process does not, and it outlives this one: what was handed over before a kill
is written all the same. It stands in a session of its own, so that Ctrl-C reaches only the recording process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict

from tandem.bridge.contract.errors import LogUnwritable
from tandem.bridge.log.backlog import Backlog
from tandem.bridge.log.file import LogFile
from tandem.bridge.log.pictures import PicturePolicy
from tandem.bridge.log.volumes import Rotation

# The same folders to import from; a stop of everything at once must leave time to write what waits.
_PROGRAM = """
import json, signal, sys
for name in ("SIGINT", "SIGTERM", "SIGHUP"):
    signal.signal(getattr(signal, name), signal.SIG_IGN)
order = json.loads(sys.argv[1])
sys.path[:] = order.pop("path")
from tandem.bridge.log.scribe import write_log
write_log(**order)
"""


class Writer:
    """Starts the process, and reports on it.

    Args:
        file: where to; it is the process's from now on.
        backlog: where from.
        pictures: how pictures are encoded.
        rotation: when the log goes on in another file.
    """

    def __init__(self, file: LogFile, backlog: Backlog, pictures: PicturePolicy, rotation: Rotation):
        self._file, self._backlog, self._report = file.path, backlog, ""
        self._reports, theirs = os.pipe2(os.O_CLOEXEC)
        order = {
            "path": sys.path, "log": str(file.path), "file": file.descriptor, "memory": backlog.memory,
            "bell": backlog.bell, "reports": theirs, "recording": os.getpid(), "pictures": asdict(pictures),
            "rotation": asdict(rotation),
        }
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, json.dumps(order)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            pass_fds=(file.descriptor, backlog.memory, backlog.bell, theirs), start_new_session=True,
        )
        os.close(theirs)
        file.close()
        backlog.share()

    @property
    def pid(self) -> int:
        """Of the process that writes."""
        return self._process.pid

    def check(self) -> None:
        """Raise `LogUnwritable` if writing has failed at any time."""
        if self._report or self._backlog.failed:
            raise self.failure()

    def failure(self) -> LogUnwritable:
        """Why the process gave up, once it has."""
        if not self._report:
            self._report = os.read(self._reports, 2**16).decode() or self._death()
        return LogUnwritable(
            f"cannot go on writing {self._file}: {self._report}. Free some space, or choose a folder on another disk"
        )

    def _death(self) -> str:
        size = self._file.stat().st_size if self._file.exists() else 0
        return (
            f"the process that writes it has ended with status {self._process.wait()}. Its first {size} bytes stay "
            "readable"
        )

    def close(self) -> None:
        """Wait until what waits and the summary are written. Raises nothing: `check` tells."""
        self._backlog.close()
        if self._process.wait() and not self._report:
            self.failure()
        os.close(self._reports)
