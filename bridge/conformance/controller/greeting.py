"""Checks of what a controller says of itself: versions, hello, units, clock, the state stream, pictures."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np

from tandem.bridge.client.pictures import Pictures
from tandem.bridge.conformance.controller.bench import Bench, Skipped
from tandem.bridge.conformance.controller.recording import Recording
from tandem.bridge.conformance.law import require
from tandem.bridge.contract.errors import StaleObservation
from tandem.bridge.contract.observation import layout
from tandem.bridge.contract.spec import BodySpec
from tandem.bridge.roles import Role
from tandem.bridge.wire.codec import encode
from tandem.bridge.wire.kinds import VERSION, Port
from tandem.bridge.wire.message import Message
from tandem.bridge.wire.refusal import Refusal

LIMITS = frozenset((
    "tick_hz", "silence_s", "lease_s", "fault_s", "max_ttl_s", "max_lead_s", "start_guard", "following_error",
    "following_s", "driver_timeout_s", "gap_s", "reset_s", "requests_per_s", "max_frame",
))
SERVO = frozenset(("turns", "late", "worst_us", "period_us", "off_by_us", "scheduling", "driver_us"))
MODES = ("IDLE", "READY", "LEASED", "ACTIVE", "HOLDING", "STOPPING", "FAULT")
WATCH_S = 3.0
PICTURE_S = 5.0
FULL_TURNS = 2
FASTEST = 50.0  # rad/s
MOST_UNCERTAIN_NS = 2_000_000


def versions(bench: Bench) -> str:
    """A version that nobody speaks is refused, whether hello offers it or a message is written in it."""
    said = bench.probe.ask("hello", versions=[VERSION + 998], name="checker", role="")
    evidence = bench.expect(said, Refusal.UNSUPPORTED_VERSION)
    spoken = encode(Message("ping", {"id": 1}))
    other = spoken.replace(b"\xa1v" + bytes([VERSION]), b"\xa1v" + bytes([VERSION + 1]), 1)
    bench.expect(bench.probe.raw(Port.CONTROL, other), Refusal.UNSUPPORTED_VERSION)
    return evidence


def hello(bench: Bench) -> str:
    """Hello delivers the whole specification, its digest, every limit and every port."""
    welcome = bench.link.welcome
    spec = BodySpec.from_dict(welcome["spec"])
    require(spec.digest() == welcome["digest"], "the digest must be that of the specification.", welcome["digest"])
    missing = sorted(LIMITS - set(welcome["limits"]))
    require(not missing, f"limits lack {', '.join(missing)}")
    require(set(welcome["ports"]) == set(Port), "there must be a port for each socket.", sorted(welcome["ports"]))
    for name, known in (("role", Role), ("mode", MODES), ("security", ("plain", "curve"))):
        require(welcome[name] in list(known), f"{name} must be one of {', '.join(known)}.", welcome[name])
    return f"{spec.robot}, {spec.dof} joints, {len(spec.cameras)} cameras, {welcome['security']}"


def units(bench: Bench) -> str:
    """Limits are in SI units and radians: times positive and in order, no joint that turns like one in degrees."""
    limits, spec = bench.limits, bench.spec
    wrong = [name for name in sorted(LIMITS & set(limits)) if not limits[name] > 0]
    require(not wrong, f"limits must be positive: {', '.join(wrong)}")
    order = [limits[name] for name in ("silence_s", "lease_s", "fault_s")]
    require(order[0] < order[1] < order[2], "silence_s < lease_s < fault_s must hold.", order)
    require(0 < spec.control_hz <= limits["tick_hz"], "control_hz must lie between 0 and tick_hz.", spec.control_hz)
    widest = float(np.abs([spec.position_low, spec.position_high]).max())
    require(widest <= FULL_TURNS * 2 * np.pi, f"a joint ranges to {widest:.1f}: degrees?")
    fastest = float(spec.velocity_limit.max())
    require(fastest <= FASTEST, f"a joint moves at {fastest:.0f}/s: degrees?")
    return f"range to {widest:.2f}, velocity to {fastest:.2f}"


def clock(bench: Bench) -> str:
    """The controller's clock only goes forward, can be told to 2 ms, and two measurements agree."""
    read = [bench.link.request("ping") for _ in range(5)]
    times = [time for pong in read for time in (pong["received"], pong.t)]
    require(times == sorted(times), "the clock must go forward.", times)
    first, second = bench.link.measure_clock(), bench.link.measure_clock()
    require(first.uncertainty < MOST_UNCERTAIN_NS, f"uncertain by {first.uncertainty / 1000:.0f} us")
    apart = abs(first.offset - second.offset)
    require(apart <= first.uncertainty + second.uncertainty, f"two measurements are {apart / 1000:.0f} us apart")
    return f"to {min(first.uncertainty, second.uncertainty) / 1000:.0f} us"


def state_stream(bench: Bench) -> str:
    """A state comes at every turn of the loop, none is missing, all is finite and of its size, and time advances."""
    with Recording(bench.link) as recording:
        time.sleep(WATCH_S)
    states, wanted = recording.states, bench.limits["tick_hz"]
    require(not recording.unread, "every message must be readable and finite.", recording.unread[:1])
    require(not recording.gaps, f"messages are missing in {recording.gaps} places")
    rate = (len(states) - 1) / ((states[-1].t - states[0].t) * 1e-9)
    require(abs(rate - wanted) < 0.05 * wanted, f"{rate:.0f} states/s, {wanted:.0f} are declared")
    require(all(a.t < b.t for a, b in pairwise(states)), "time must advance from state to state")
    require(all(a["measured"] <= b["measured"] for a, b in pairwise(states)), "measurements must not go back in time")
    n = bench.spec.dof
    for name, size in {"position": n, "velocity": n, "opening": 1, "tool": 7, "setpoint": n + 1}.items():
        require({len(state[name]) for state in states} == {size}, f"{name} must hold {size} numbers")
    return f"{rate:.0f} states/s over {WATCH_S:g} s, no gap"


def status(bench: Bench) -> str:
    """Status tells how regular the loop is, and a state counts what the controller has looked at."""
    before, told = bench.probe.state()["inputs"], bench.link.request("status")
    missing = sorted(SERVO - set(told["servo"]))
    require(not missing, f"servo lacks {', '.join(missing)}")
    time.sleep(0.1)
    require(bench.probe.state()["inputs"] > before, "a request that was looked at must be counted in inputs")
    return f"{told['servo']['late']} of {told['servo']['turns']} turns late"


def events(bench: Bench) -> str:
    """Every change of the mode is told as it happens."""
    begun = bench.probe.state().seq
    bench.acquire()
    bench.tidy()
    bench.probe.wait_mode("READY")
    changes = [message["data"].get("to") for message in bench.link.watcher.events
               if message.seq > begun and message.kind == "event" and message["what"] == "mode"]
    require(changes == ["LEASED", "READY"], "a lease that is given and given back changes the mode twice.", changes)
    return ", ".join(changes)


def pictures(bench: Bench) -> str:
    """Each camera's picture comes with the shape and type of the specification."""
    wanted = [key for key in layout(bench.spec) if "." in key]
    if not wanted:
        raise Skipped("the body has no camera")
    link, came, reasons = bench.link, list[str](), list[str]()
    reader = Pictures(link.context, link.contact, link.ports[Port.MEDIA], bench.spec, link.session)
    try:
        for key in wanted:
            reader.subscribe(key)
        begin = time.monotonic()
        for key in wanted:
            try:
                reader.first_after(key, bench.probe.state().t, max(0.2, begin + PICTURE_S - time.monotonic()))
                came.append(key)
            except StaleObservation as reason:
                reasons.append(str(reason))
    finally:
        reader.close()
    if not came:
        raise Skipped(f"no picture came within {PICTURE_S:g} s: do the cameras run?")
    require(not reasons, "; ".join(reasons))
    return ", ".join(came)


CHECKS = (versions, hello, units, clock, state_stream, status, events, pictures)
