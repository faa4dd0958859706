"""Round trips, hop by hop: each name takes in one hop more than the one before."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
from doctoring.progress import Show, steps
from doctoring.spread import spread
from machine import Finding

from tandem.bridge.client import Link


def hop(name: str, took_us: np.ndarray, link: Link) -> Finding:
    """Whether a hop is quick enough: in half a control period, and never so slow that silence stops the arm."""
    median, slow = np.percentile(took_us, [50, 99])
    silence_us, half_us = 1e6 * link.limits["silence_s"], 0.5e6 * link.spec.dt_s
    if median > silence_us:
        remedy = f"slower than limits.silence_s, {silence_us / 1000:.0f} ms, nothing can be commanded: come nearer"
        return Finding(name, "fail", spread(took_us), remedy)
    if slow > half_us:
        remedy = f"one in a hundred takes over half a control period, {half_us / 1000:.0f} ms: look for load here " \
                 "and there, and for Wi-Fi in between"
        return Finding(name, "warn", spread(took_us), remedy)
    return Finding(name, "ok", spread(took_us))


def to_gateway(link: Link, pings: int, show: Show) -> Iterator[Finding]:
    """Network and the gateway's process."""
    yield hop("to gateway", _round_trips(link, "ping", pings, show), link)


def to_servo(link: Link, pings: int, show: Show) -> Iterator[Finding]:
    """And through the servo loop: up to one turn more."""
    yield hop("to servo", _round_trips(link, "status", pings, show), link)


def _round_trips(link: Link, kind: str, count: int, show: Show) -> np.ndarray:
    took, tick_s = [], 1.0 / link.limits["tick_hz"]
    for wait_s in _waits(count, tick_s, show, f"{count} round trips ({kind})"):
        time.sleep(wait_s)
        begin = time.perf_counter()
        link.request(kind)
        took.append((time.perf_counter() - begin) * 1e6)
    return np.array(took)


def _waits(count: int, tick_s: float, show: Show, what: str) -> Iterator[float]:
    """At random: a question right after an answer always comes at the same moment of the servo's turn."""
    draw = np.random.default_rng(0)
    for _ in steps(count, show, what):
        yield draw.uniform(0.0, 2 * tick_s)
