"""The servo loop as the controller reports it: scheduling and regularity."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from doctoring.spread import INDENT, bars
from machine import Finding

from tandem.bridge.client import Link

LATE, HALF, SLOW = 0.005, 0.5, 0.5  # shares of turns, and of a turn's time
_SLOW = "let the driver's read and write return at once: the newest measurement, and a setpoint handed to a thread"
_ALLOW = "allow it there: a line 'USER - rtprio 95' in /etc/security/limits.conf, or CAP_SYS_NICE for the process " \
         "(container: --cap-add SYS_NICE); and no --no-realtime"


_WAKE = "let the controller keep its processors awake: write access to /dev/cpu_dma_latency there (udev: " \
        'KERNEL=="cpu_dma_latency", GROUP="realtime", MODE="0660"); '


def servo_loop(link: Link) -> Iterator[Finding]:
    """Whether it runs with real-time scheduling, and how far its turns are off."""
    servo = link.request("status")["servo"]
    if not servo:
        yield Finding("servo loop", "warn", "the controller tells nothing of its loop", "ask its maker")
        return
    turns, late = int(servo.get("turns", 0)), int(servo.get("late", 0))
    scheduling = str(servo.get("scheduling", "scheduling unknown"))
    share = late / max(turns, 1)
    detail = f"{scheduling}; of {turns} turns since the start {share:.3%} late, worst " \
             f"{servo.get('worst_us', 0):.0f} us (period {servo.get('period_us', 0):.0f} us){_off_by(servo)}"
    if not scheduling.startswith(("SCHED_FIFO", "SCHED_RR", "SCHED_DEADLINE")):
        yield Finding("servo loop", "warn", detail, _ALLOW)
    elif share > LATE and float(servo.get("driver_us", 0)) > SLOW * float(servo.get("period_us", np.inf)):
        told = f"{detail}; its driver takes {servo['driver_us']:.0f} us of each turn to read and write"
        yield Finding("servo loop", "fail" if share > HALF else "warn", told, _SLOW)
    elif share > LATE:
        advice = _WAKE if "may sleep" in scheduling else ""
        advice += "less load there, a core of its own (isolcpus), PREEMPT_RT"
        yield Finding("servo loop", "warn", detail, advice)
    else:
        yield Finding("servo loop", "ok", detail)


def _off_by(servo: dict[str, Any]) -> str:
    off_by = servo.get("off_by_us") or {}
    counts = np.array([int(count) for count in off_by.values()])
    if not counts.sum():
        return ""
    told = zip(off_by, bars(counts), counts / counts.sum(), strict=True)
    return f"{INDENT}off by " + "  ".join(f"{edge} us {bar} {share:.1%}" for edge, bar, share in told if share)
