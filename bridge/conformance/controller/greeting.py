"""Checks of what a controller says of itself: versions, hello, units, clock, the state stream, pictures."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from tandem.bridge.client.pictures import Pictures
from tandem.bridge.conformance.controller.bench import Bench, Skipped
from tandem.bridge.contract.errors import StaleObservation
from tandem.bridge.contract.observation import layout
from tandem.bridge.contract.spec import BodySpec
from tandem.bridge.wire.kinds import VERSION, Port
from tandem.bridge.wire.refusal import Refusal

NEEDED = ("tick_hz", "silence_s", "lease_s", "fault_s", "max_ttl_s", "max_lead_s", "max_frame")
WATCH_S = 3.0
PICTURE_S = 5.0
FULL_TURNS = 2


def versions(bench: Bench) -> str:
    """A version that nobody speaks is refused."""
    said = bench.probe.ask("hello", versions=[VERSION + 998], name="checker", role="")
    return bench.expect(said, Refusal.UNSUPPORTED_VERSION)


def hello(bench: Bench) -> str:
    """Hello delivers the whole specification, its digest, every limit and every port."""
    welcome = bench.link.welcome
    spec = BodySpec.from_dict(welcome["spec"])
    assert spec.digest() == welcome["digest"], "the digest is not that of the specification"
    missing = [name for name in NEEDED if name not in welcome["limits"]]
    assert not missing, f"limits lack {', '.join(missing)}"
    assert set(welcome["ports"]) == set(Port), f"ports are {sorted(welcome['ports'])}"
    return f"{spec.robot}, {spec.dof} joints, {len(spec.cameras)} cameras, {welcome['security']}"


def units(bench: Bench) -> str:
    """Limits are in SI units and radians: times positive and in order, no joint that turns like one in degrees."""
    limits, spec = bench.limits, bench.spec
    assert 0 < limits["silence_s"] < limits["lease_s"] < limits["fault_s"], "0 < silence_s < lease_s < fault_s"
    widest = np.abs([spec.position_low, spec.position_high]).max()
    assert widest <= FULL_TURNS * 2 * np.pi, f"a joint ranges to {widest:.1f}: degrees?"
    assert spec.velocity_limit.max() <= 50, f"a joint moves at {spec.velocity_limit.max():.0f}/s: degrees?"
    return f"range to {widest:.2f}, velocity to {spec.velocity_limit.max():.2f}"


def clock(bench: Bench) -> str:
    """The controller's clock can be told to 2 ms, and two measurements agree."""
    first, second = bench.link.measure_clock(), bench.link.measure_clock()
    assert first.uncertainty < 2_000_000, f"uncertain by {first.uncertainty / 1000:.0f} us"
    apart = abs(first.offset - second.offset)
    assert apart <= first.uncertainty + second.uncertainty, f"two measurements are {apart / 1000:.0f} us apart"
    return f"to {min(first.uncertainty, second.uncertainty) / 1000:.0f} us"


def state_stream(bench: Bench) -> str:
    """A state comes at every turn of the loop, none is missing, and time advances."""
    watcher = bench.link.watcher
    gaps, count = watcher.gaps, watcher.received["state"]
    states = bench.probe.watch(WATCH_S)
    count = watcher.received["state"] - count
    rate = count / WATCH_S
    assert watcher.gaps == gaps, f"{watcher.gaps - gaps} messages are missing"
    assert abs(rate - bench.limits["tick_hz"]) < 0.05 * bench.limits["tick_hz"], f"{rate:.0f} states/s"
    times = [state.t for state in states]
    assert all(a < b for a, b in pairwise(times)), "time does not advance"
    return f"{rate:.0f} states/s, no gap"


def pictures(bench: Bench) -> str:
    """Each camera's picture comes with the shape and type of the specification."""
    wanted = [key for key in layout(bench.spec) if "." in key]
    if not wanted:
        raise Skipped("the body has no camera")
    link = bench.link
    reader = Pictures(link.context, link.contact, link.ports[Port.MEDIA], bench.spec, link.session)
    try:
        for key in wanted:
            reader.first_after(key, bench.probe.state().t, PICTURE_S)
    except StaleObservation as reason:
        raise AssertionError(str(reason)) from reason
    finally:
        reader.close()
    return ", ".join(wanted)


CHECKS = (versions, hello, units, clock, state_stream, pictures)
