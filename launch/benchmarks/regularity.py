"""How regular a whole controller is while another core is busy, beside a loop that does nothing at the same time.

What such a loop loses too, the computer has taken (a hypervisor, an interrupt, the kernel), and no servo loop on it can
do better.
"""

from __future__ import annotations

import gc
import multiprocessing
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from rich.console import Console
from rich.progress import track

from tandem.bridge.client import Contact, Link
from tandem.bridge.controller.jitter import Jitter
from tandem.bridge.controller.options import Limits, ns
from tandem.bridge.controller.realtime import realtime

LAUNCH = Path(__file__).parent.parent


def _spin() -> None:
    while True:
        sum(range(10_000))


@contextmanager
def busy_core() -> Iterator[None]:
    """One other core has all that it can do."""
    process = multiprocessing.get_context("spawn").Process(target=_spin, daemon=True)
    process.start()
    try:
        yield
    finally:
        process.kill()


@contextmanager
def controller() -> Iterator[str]:
    """A whole controller with the dummy arm, and its endpoint."""
    command = [sys.executable, LAUNCH / "controller.py", "--driver", "dummy", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield re.search(r"tcp://\S+?(?=,)", process.stdout.readline())[0]
    finally:
        process.terminate()
        process.wait()


def _turn_idly(seconds: float, told: Connection) -> None:
    """The servo's schedule and the servo's clock, and nothing to do in a turn."""
    gc.disable()
    period = ns(Limits().tick_s)
    jitter, deadline = Jitter(period), time.monotonic_ns()
    end = deadline + ns(seconds)
    with realtime():
        while deadline < end:
            deadline = max(deadline + period, time.monotonic_ns() - period)
            time.sleep(max(0, deadline - time.monotonic_ns()) * 1e-9)
            jitter.turn(time.monotonic_ns())
    told.send(jitter.to_wire())


@contextmanager
def idle_loop(seconds: float) -> Iterator[Connection]:
    """A loop that does nothing in a process of its own; its figures come when it is over."""
    figures, told = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(target=_turn_idly, args=(seconds, told), daemon=True)
    process.start()
    told.close()
    try:
        yield figures
    finally:
        process.kill()


def regularity(seconds: float, console: Console) -> dict[str, float]:
    """The state stream and the servo loop of a whole controller while another core is busy."""
    with controller() as endpoint, busy_core(), idle_loop(seconds) as idle:
        link = Link(Contact.at(endpoint), name="benchmark")
        time.sleep(1)
        before, begin = link.watcher.received["state"], time.monotonic()
        first = link.request("status")["servo"]
        for _ in track(range(round(seconds)), "state stream and servo loop", console=console, transient=True):
            time.sleep(1)
        last, elapsed = link.request("status")["servo"], time.monotonic() - begin
        states, gaps = link.watcher.received["state"] - before, link.watcher.gaps
        link.close()
        bare = idle.recv()
    turns = last["turns"] - first["turns"]
    return {
        "state_hz": round(states / elapsed, 1), "state_gaps": gaps, "state_s": round(elapsed, 1),
        "late_fraction": round((last["late"] - first["late"]) / turns, 6),
        "late_floor_fraction": round(bare["late"] / bare["turns"], 6),
        "worst_turn_us": round(last["worst_us"]), "worst_floor_turn_us": round(bare["worst_us"]),
        "realtime": float(last["scheduling"].startswith("SCHED_FIFO")),
    }
