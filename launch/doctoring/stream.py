"""The state stream: its rate, what is missing, how old it is when it arrives."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from doctoring.ear import Ear, Heard
from doctoring.hops import hop
from doctoring.progress import Show
from machine import Finding

from tandem.bridge.client import Link
from tandem.bridge.contract import BodyUnresponsive

OFF_RATE = 0.05  # of tick_hz
LATE = 0.005  # of the turns


def stream(link: Link, seconds: float, show: Show) -> Iterator[Finding]:
    """What came, and how old it was."""
    with Ear(link) as ear:
        heard = ear.listen(seconds, show, "listening to states")
    states = [one for one in heard if one.message.kind == "state"]
    if len(states) < 2:
        raise BodyUnresponsive(f"{len(states)} states came in {seconds:g} s")
    yield _states(link, heard, states)
    ages_us = [(link.clock.there(one.arrived) - one.message.t) / 1000 for one in states if one.arrived]
    yield hop("state age", np.array(ages_us), link)


def _states(link: Link, heard: list[Heard], states: list[Heard]) -> Finding:
    first, last, told_hz = states[0].message, states[-1].message, link.limits["tick_hz"]
    rate = (len(states) - 1) / max((last.t - first.t) * 1e-9, 1e-9)
    missing = sum(max(0, b.message.seq - a.message.seq - 1) for a, b in pairwise(heard))
    late, longest_s = last["late"] - first["late"], max(b.message.t - a.message.t for a, b in pairwise(states)) * 1e-9
    detail = f"{rate:.1f} of {told_hz:g} a second, {missing} of {len(heard) + missing} missing, longest pause " \
             f"{longest_s * 1000:.1f} ms; {late / len(states):.2%} of the turns late, worst turn since the start " \
             f"{last['worst'] / 1e6:.1f} ms"
    if longest_s > 2 * link.limits["silence_s"]:
        return Finding("states", "fail", detail, "such a pause ends an episode: look at the network, and at load there")
    if missing:
        return Finding("states", "warn", detail, "the network or this computer does not keep up: cable, less load")
    if abs(rate - told_hz) > OFF_RATE * told_hz or late > LATE * len(states):
        return Finding("states", "warn", detail, "the controller's computer is too busy: see servo loop")
    return Finding("states", "ok", detail)
