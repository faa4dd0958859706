"""An encoder must not change how the kernel schedules the process that it works for.

SVT-AV1 makes its threads, and the thread that opens it, real-time at the highest priority wherever that is allowed,
and leaves them so. Whatever such a process starts inherits it: a servo loop then no longer comes first.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_Schedule = tuple[int, int]  # policy and real-time priority


def schedules() -> dict[int, _Schedule]:
    """How each thread of this process is scheduled, by its id."""
    found = {}
    for thread in map(int, os.listdir("/proc/self/task")):
        with suppress(ProcessLookupError):  # it has ended meanwhile
            found[thread] = os.sched_getscheduler(thread), os.sched_getparam(thread).sched_priority
    return found


@contextmanager
def schedules_kept() -> Iterator[None]:
    """Every thread is scheduled as before, and those that were begun meanwhile as the one that entered was."""
    before, own = schedules(), (os.sched_getscheduler(0), os.sched_getparam(0).sched_priority)
    try:
        yield
    finally:
        for thread, schedule in schedules().items():
            policy, priority = before.get(thread, own)
            if schedule != (policy, priority):
                with suppress(ProcessLookupError):
                    os.sched_setscheduler(thread, policy, os.sched_param(priority))
