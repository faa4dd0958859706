"""The process that writes a log, as the recording process sees it. What goes wrong there is raised here.

Encoding a picture takes as long as a good part of a control step, and a thread that does it takes the interpreter lock
from the control thread at every turn. A process does not, and it outlives this one: what was handed over before a kill
is written all the same. It stands in a session of its own, so that Ctrl-C reaches only the recording process.

To start one takes longer than to write a short episode, so one that has finished its log waits for the next.
"""

from __future__ import annotations

import atexit
import json
import os
import socket
import subprocess
import sys
import threading
from dataclasses import asdict

from tandem.bridge.contract.errors import LogUnwritable
from tandem.bridge.log.backlog import Backlog
from tandem.bridge.log.file import LogFile
from tandem.bridge.log.pictures import PicturePolicy
from tandem.bridge.log.volumes import Rotation

ANSWER_S = 5.0  # one that waits for its next log takes it at once
DONE = b"\0"  # what a process that has finished a log reports; words are a failure, nothing is its death
# The same folders to import from; a stop of everything at once must leave time to write what waits.
_PROGRAM = """
import json, signal, sys
for name in ("SIGINT", "SIGTERM", "SIGHUP"):
    signal.signal(getattr(signal, name), signal.SIG_IGN)
line, recording, sys.path[:] = json.loads(sys.argv[1])
from tandem.bridge.log.scribe import serve
serve(line, recording)
"""


class _Process:
    """One process, and the line on which it is told what to write."""

    def __init__(self):
        self.owner = os.getpid()
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            begin = json.dumps([theirs.fileno(), self.owner, sys.path])
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, begin], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),), start_new_session=True,
            )
        self._line.settimeout(ANSWER_S)
        self.pid, self._untaken, self._has_served = self._process.pid, 0, False

    def send(self, order: bytes, descriptors: list[int]) -> None:
        """Tell it to write a log. Raises `OSError` when it is gone.

        One that has waited must answer: a process that is being killed still takes what is sent to it.
        """
        socket.send_fds(self._line, [order], descriptors)
        self._untaken, has_waited = self._untaken + 1, self._has_served
        self._has_served = True
        while has_waited and self._untaken:
            if not self._line.recv(1):
                raise ConnectionResetError("the process that writes has ended")
            self._untaken -= 1

    def end(self) -> int:
        """Its status, once it has ended as nothing more will be asked of it."""
        self._line.close()
        return self._process.wait()


class _Waiting:
    """The process that waits for the next log, if there is one."""

    def __init__(self):
        self._lock, self._one = threading.Lock(), None

    def take(self) -> _Process | None:
        """It, if it is this process's own: one inherited over a fork belongs to the parent."""
        with self._lock:
            one, self._one = self._one, None
        return one if one is not None and one.owner == os.getpid() else None

    def give(self, process: _Process) -> None:
        """Keep it, or end it if there is one already."""
        with self._lock:
            if self._one is None:
                self._one, process = process, None
        if process is not None:
            process.end()

    def end(self) -> None:
        """End the one that waits."""
        one = self.take()
        if one is not None:
            one.end()


_waiting = _Waiting()
atexit.register(_waiting.end)


class Writer:
    """Has a process write a log, and reports on it.

    Args:
        file: where to; it is the process's from now on.
        backlog: where from.
        pictures: how pictures are encoded.
        rotation: when the log goes on in another file.

    Attributes:
        pid: of the process that writes.
    """

    def __init__(self, file: LogFile, backlog: Backlog, pictures: PicturePolicy, rotation: Rotation):
        self._file, self._backlog, self._report = file.path, backlog, ""
        order = json.dumps({"log": str(file.path), "pictures": asdict(pictures), "rotation": asdict(rotation)}).encode()
        self._reports, theirs = os.pipe2(os.O_CLOEXEC)
        descriptors = [file.descriptor, backlog.memory, backlog.bell, theirs]
        self._process = _waiting.take() or _Process()
        try:
            self._process.send(order, descriptors)
        except OSError:  # it was killed while it waited
            self._process.end()
            self._process = _Process()
            self._process.send(order, descriptors)
        self.pid = self._process.pid
        os.close(theirs)
        file.close()
        backlog.share()

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
            f"the process that writes it has ended with status {self._process.end()}. Its first {size} bytes stay "
            "readable"
        )

    def close(self) -> None:
        """Wait until what waits and the summary are written. Raises nothing: `check` tells."""
        self._backlog.close()
        said = b"" if self._report else os.read(self._reports, 2**16)
        os.close(self._reports)
        if said == DONE:
            _waiting.give(self._process)
            return
        self._report = self._report or said.decode() or self._death()
        self._process.end()
