"""What a servo loop asks of the kernel to be on time: to run before others, and on processors that do not sleep.

A processor that has nothing to do until the next turn is put to sleep, and on a virtual machine given to others; waking
it takes up to milliseconds where the host is busy. `/dev/cpu_dma_latency` keeps all of them awake for as long as it is
held open, as cyclictest does (Linux kernel documentation, PM Quality of Service). Both are gone on without where they
are not permitted, and the loop's figures say so.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

PRIORITY = 50  # of SCHED_FIFO
WAKE_UP_LATENCY = Path("/dev/cpu_dma_latency")  # takes a number of microseconds in 32 bits
ORDINARY = "SCHED_OTHER"


@contextmanager
def realtime() -> Iterator[str]:
    """Both for this thread's block; what came of it, in words. Child processes do not inherit the scheduling."""
    with ExitStack() as held:
        first = _come_first(held)
        yield f"{first}, processors {_stay_awake(held)}"


def _come_first(held: ExitStack) -> str:
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(PRIORITY))
    except (PermissionError, AttributeError):
        return f"{ORDINARY} (not permitted more)"
    held.callback(os.sched_setscheduler, 0, os.SCHED_OTHER, os.sched_param(0))
    return f"SCHED_FIFO {PRIORITY}"


def _stay_awake(held: ExitStack) -> str:
    try:
        wish = os.open(WAKE_UP_LATENCY, os.O_WRONLY)
        held.callback(os.close, wish)
        os.write(wish, bytes(4))
    except OSError:
        return f"may sleep ({WAKE_UP_LATENCY} not permitted)"
    return "kept awake"
