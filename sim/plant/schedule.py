"""How the kernel schedules a process. A child begins as its parent is, and a servo loop's ways are not for everyone."""

from __future__ import annotations

import os


def be_ordinary() -> None:
    """As every process: the servo loop that started this one may have had a real-time priority."""
    if os.sched_getscheduler(0) != os.SCHED_OTHER:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def be_urgent(priority: int) -> str:
    """First in, first out, at a real-time priority, if that is allowed. Returns what came of it, in words."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
    except PermissionError:
        return "SCHED_OTHER (no permission for SCHED_FIFO: grant CAP_SYS_NICE or a limit rtprio)"
    return f"SCHED_FIFO {priority}"
