"""What runs in the process that writes a log: entries from the backlog into the file, until no more can come.

That is so when the recording process closes its side or is gone, for whatever reason; the file is finished then. When
the recording process is still there, this one waits for its next log.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tandem.bridge.log.arrivals import Arrivals
from tandem.bridge.log.entries import RecordEntry, TailEntry, unpack
from tandem.bridge.log.file import LogFile
from tandem.bridge.log.pictures import PicturePolicy
from tandem.bridge.log.volumes import Rotation, Volumes
from tandem.bridge.log.writer import DONE

FLUSH_S = 0.5  # what a kill of both processes may cost, at most, when little is written
_LOOK_S = 1.0  # how often one that waits looks whether the recording process is still there
_ORDER_BYTES, _DESCRIPTORS = 2**16, 4


def serve(line: int, recording: int) -> None:
    """Write one log after the other, until the recording process is gone or asks for none any more.

    Args:
        line: descriptor of the socket on which orders come: the arguments of `write_log` as JSON, and descriptors.
        recording: id of the recording process.
    """
    # It never takes a core from the control thread when it wakes, and yet is not starved where others are busy: what
    # waits to be written is what a crash of both would cost.
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    with socket.socket(fileno=line) as orders:
        orders.settimeout(_LOOK_S)
        while True:
            orphaned = os.getppid() != recording  # asked first: what came before is written
            try:
                order, descriptors, *_ = socket.recv_fds(orders, _ORDER_BYTES, _DESCRIPTORS)
            except TimeoutError:
                if orphaned:
                    return
                continue
            except ConnectionResetError:  # the recording process left without reading that its last order was taken
                return
            if not order:
                return
            orders.send(DONE)  # taken
            write_log(*descriptors, recording=recording, **json.loads(order))


def write_log(
    file: int, memory: int, bell: int, reports: int, *, log: str, recording: int, pictures: Mapping[str, Any],
    rotation: Mapping[str, Any],
) -> None:
    """Write one log. Whatever goes wrong is told in words through `reports`, and the process ends with status 1.

    Args:
        file: descriptor of the file.
        memory: descriptor of the backlog's memory.
        bell: descriptor of the backlog's pipe.
        reports: descriptor of the pipe for failures, and for `DONE`.
        log: path of the file, for messages.
        recording: id of the recording process.
        pictures: fields of the `PicturePolicy`.
        rotation: fields of the `Rotation`.
    """
    into = Volumes(LogFile.of(Path(log), file), PicturePolicy(**pictures), Rotation(**rotation))
    arrivals = Arrivals(memory, bell, recording)
    try:
        _write_all(into, arrivals)
    except Exception as reason:  # whatever it is, the recording process raises it
        what = f"{into.file.error or reason}. Its first {into.file.size} bytes stay readable"
        os.write(reports, what.encode())
        arrivals.fail()
        raise SystemExit(1) from reason
    finally:
        into.file.close()
    if os.getppid() == recording:  # else nobody reads it
        os.write(reports, DONE)
    for descriptor in (memory, bell, reports):
        os.close(descriptor)


def _write_all(into: Volumes, arrivals: Arrivals) -> None:
    flushed, dirty = time.monotonic(), False
    try:
        for arrival in arrivals:
            entry = arrival and unpack(*arrival)
            if entry is not None:
                into.write(entry)
                dirty = True
            due = time.monotonic() - flushed > FLUSH_S
            if dirty and (due or isinstance(entry, (RecordEntry, TailEntry))):
                into.flush()
                flushed, dirty = time.monotonic(), False
            if into.file.error is not None:  # the MCAP writer keeps it to itself
                raise into.file.error
    finally:
        into.close()
