"""The controller's clock as seen from here."""

from __future__ import annotations

from collections.abc import Iterator

from doctoring.progress import Show, pause
from machine import Finding

from tandem.bridge.client import Link

PINGS = 50
UNSURE_US = 2000.0
DRIFT_PPM = 500.0  # the most by which the kernel slews a clock


def clock(link: Link, seconds: float, show: Show) -> Iterator[Finding]:
    """Offset, uncertainty, and drift over some seconds; the link uses the newer measurement from then on."""
    first = link.measure_clock(PINGS)
    pause(seconds, show, "drift of the clock")
    second = link.clock = link.measure_clock(PINGS)
    drift_us, unsure_us = (second.offset - first.offset) / 1000, second.uncertainty / 1000
    bound_us = (first.uncertainty + second.uncertainty) / 1000
    detail = f"offset {second.offset / 1000:.0f} us, known to {unsure_us:.0f} us; drift {drift_us:+.0f} us in " \
             f"{seconds:g} s (+-{bound_us:.0f})"
    if unsure_us > UNSURE_US:
        yield Finding("clock", "warn", detail, "a quieter way: cable instead of Wi-Fi, no other traffic on it")
    elif abs(drift_us) - bound_us > DRIFT_PPM * seconds:
        yield Finding("clock", "warn", detail, "one computer's clock runs wrong: chronyc tracking, on both")
    else:
        yield Finding("clock", "ok", detail)
