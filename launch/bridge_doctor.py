"""What an episode needs of a controller: one finding for each hop between here and the arm, with its remedy.

Used by `doctor.py --body`.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from machine import Finding

from tandem.bridge.client import Contact, Link, RemoteBody, mapping
from tandem.bridge.client.pictures import Pictures
from tandem.bridge.contract import StaleObservation, TandemError
from tandem.bridge.contract.observation import layout
from tandem.bridge.wire import Port, Refused

PINGS = 200
STREAM_S = 3.0
PICTURE_S = 3.0
WIGGLE = np.radians(2.0)  # rad; of a sliding joint 2 % of its range
WIGGLE_S = 1.0
WIDEST = 4 * np.pi
_BARS = " ▁▂▃▄▅▆▇█"


def histogram(took_us: np.ndarray) -> str:
    """Median, tails, and a bar for each tenth of the range up to the 99th percentile."""
    p50, p90, p99 = np.percentile(took_us, [50, 90, 99])
    counts, _ = np.histogram(took_us, bins=10, range=(took_us.min(), max(p99, took_us.min() + 1)))
    bars = "".join(_BARS[round(count / counts.max() * (len(_BARS) - 1))] for count in counts)
    return f"p50 {p50:.0f}, p90 {p90:.0f}, p99 {p99:.0f}, max {took_us.max():.0f} us  {bars}"


def examine_body(endpoint: str, keys: Path | None, key: str, wiggle: str | None, agreed: Callable[[str], bool]
                 ) -> Iterator[Finding]:
    """Each finding as it is made; after one that makes the rest impossible, no more.

    Args:
        endpoint: tcp://HOST:PORT of the control socket.
        keys: folder of keys, None for plain.
        key: name of this side's key.
        wiggle: joint to move by 2 degrees and back, None for none.
        agreed: asks a person who stands by, with the words of the question.
    """
    try:
        contact = Contact.at(endpoint, keys=keys, key=key)
        yield Finding("keys", "ok", f"{key} of {keys}" if keys else "none: a plain controller on this computer", "")
        yield (reached := reachability(contact))
        if reached.status == "fail":
            return
        link = Link(contact, name="doctor")
    except TandemError as reason:
        yield Finding("hello", "fail", f"{type(reason).__name__}: {reason}", "do what it says, then ask again")
        return
    try:
        for check in (hello, ports, fault, clock, gateway_hop, servo_hop, stream, realtime, names, cameras):
            yield check(link)
        if wiggle is not None:
            yield wiggled(link, wiggle, agreed)
    finally:
        link.close()


def _connect(host: str, port: int) -> float:
    begin = time.perf_counter()
    socket.create_connection((host, port), timeout=3).close()
    return (time.perf_counter() - begin) * 1e6


def reachability(contact: Contact) -> Finding:
    """Whether the control socket's port answers at all."""
    try:
        took_us = _connect(contact.host, contact.port)
        return Finding("reach", "ok", f"{contact.host}:{contact.port} in {took_us:.0f} us", "")
    except socket.gaierror:
        return Finding("reach", "fail", f"there is no host {contact.host!r}", "correct the name, or use its address")
    except ConnectionRefusedError:
        remedy = "start it there: python launch/controller.py --bind ADDRESS --port PORT --keys FOLDER"
        return Finding("reach", "fail", f"nobody listens at {contact.host}:{contact.port}", remedy)
    except TimeoutError:
        remedy = f"open ports {contact.port} to {contact.port + 4} in the firewall, or correct the address"
        return Finding("reach", "fail", f"{contact.host}:{contact.port} does not answer", remedy)
    except OSError as reason:
        return Finding("reach", "fail", f"{contact.host}:{contact.port}: {reason.strerror}", "look at the network")


def hello(link: Link) -> Finding:
    """What the controller says of itself."""
    told, about = link.welcome, link.welcome["about"]
    words = ", ".join(f"{name} {value}" for name, value in about.items())
    detail = f"{link.spec.robot}, version {told['version']}, session {link.session}, {told['security']}, you are " \
             f"{told['name']} ({told['role']}); {words}"
    if told["role"] == "observer":
        return Finding("hello", "warn", detail, "an observer commands nothing: use another --key")
    return Finding("hello", "ok", detail, "")


def ports(link: Link) -> Finding:
    """Whether all five ports answer."""
    took = {}
    for name, port in link.ports.items():
        try:
            took[name] = _connect(link.contact.host, port)
        except OSError as reason:
            return Finding("ports", "fail", f"{name}, port {port}: {reason}", f"open port {port} in the firewall")
    return Finding("ports", "ok", ", ".join(f"{name} {us:.0f} us" for name, us in took.items()), "")


def fault(link: Link) -> Finding:
    """Mode, latched fault and lease."""
    status = link.request("status")
    held = f", {status['holder']} holds the lease" if status["holder"] else ", the lease is free"
    if latched := status["fault"]:
        detail = f"{status['mode']}: fault {latched['number']}, {latched['code']}: {latched['detail']}"
        return Finding("mode", "fail", detail, "look at the arm; then a supervisor clears it")
    return Finding("mode", "ok", f"{status['mode']}{held}", "")


def clock(link: Link) -> Finding:
    """Offset of the controller's clock, and how sure it is."""
    first = link.clock
    time.sleep(1.0)
    second = link.measure_clock(PINGS // 4)
    detail = f"offset {second.offset / 1e6:.3f} ms, known to {second.uncertainty / 1000:.0f} us, " \
             f"drift {(second.offset - first.offset) / 1000:+.0f} us in a second"
    sure = second.uncertainty < 2_000_000
    return Finding("clock", "ok" if sure else "warn", detail, "" if sure else "a quieter network: cable, no Wi-Fi")


def _round_trips(link: Link, kind: str) -> np.ndarray:
    took = []
    for _ in range(PINGS):
        begin = time.perf_counter()
        link.request(kind)
        took.append((time.perf_counter() - begin) * 1e6)
    return np.array(took)


def _hop(name: str, took_us: np.ndarray, limit_us: float) -> Finding:
    slow = np.percentile(took_us, 99) > limit_us
    remedy = "look for load and for Wi-Fi between here and there" if slow else ""
    return Finding(name, "warn" if slow else "ok", histogram(took_us), remedy)


def gateway_hop(link: Link) -> Finding:
    """Round trip to the gateway's process: the network."""
    return _hop("to gateway", _round_trips(link, "ping"), 20_000)


def servo_hop(link: Link) -> Finding:
    """Round trip through the servo loop: up to one turn more."""
    return _hop("to servo", _round_trips(link, "status"), 25_000)


def stream(link: Link) -> Finding:
    """Rate, gaps and age of the state stream."""
    watcher, ages, last = link.watcher, [], 0
    gaps, count, end = watcher.gaps, watcher.received["state"], time.monotonic() + STREAM_S
    while time.monotonic() < end:
        state = watcher.wait(lambda state, last=last: state.t > last, 1.0, "a state")
        last = state.t
        ages.append((link.now() - state.t) / 1000)
    rate, lost = (watcher.received["state"] - count) / STREAM_S, watcher.gaps - gaps
    good = not lost and abs(rate - link.limits["tick_hz"]) < 0.05 * link.limits["tick_hz"]
    detail = f"{rate:.0f} states/s, {lost} missing; age {histogram(np.array(ages))}"
    return Finding("states", "ok" if good else "warn", detail, "" if good else "the network or a computer is too busy")


def realtime(link: Link) -> Finding:
    """Scheduling and regularity of the servo loop."""
    servo = link.request("status")["servo"]
    if not servo:
        return Finding("realtime", "warn", "the controller tells nothing of its loop", "ask its maker")
    share = servo["late"] / max(1, servo["turns"])
    detail = f"{servo['scheduling']}; {share:.3%} of {servo['turns']} turns late, worst {servo['worst_us']:.0f} us"
    good = servo["scheduling"].startswith("SCHED_FIFO") and share < 0.005
    remedy = "" if good else "there: allow rtprio in /etc/security/limits.conf, or give the process CAP_SYS_NICE"
    return Finding("realtime", "ok" if good else "warn", detail, remedy)


def names(link: Link) -> Finding:
    """What is called what, and whether the numbers smell of degrees."""
    spec = link.spec
    widest, fastest = np.abs([spec.position_low, spec.position_high]).max(), spec.velocity_limit.max()
    detail = "\n     " + "\n     ".join(mapping(spec))
    if widest > WIDEST or fastest > 50:
        return Finding("names", "fail", f"a range of {widest:.0f} and {fastest:.0f}/s: degrees?{detail}",
                       "declare radians and rad/s in the specification")
    return Finding("names", "ok", f"{spec.dof} joints, {len(spec.cameras)} cameras{detail}", "")


def cameras(link: Link) -> Finding:
    """Whether each picture comes, and how old it is."""
    reader = Pictures(link.context, link.contact, link.ports[Port.MEDIA], link.spec, link.session)
    seen = []
    try:
        for key in (key for key in layout(link.spec) if "." in key):
            _, taken = reader.first_after(key, link.now(), PICTURE_S)
            seen.append(f"{key} {(link.now() - taken) / 1e6:.0f} ms old")
    except (StaleObservation, TandemError) as reason:
        told = f"{reason}; so far: {', '.join(seen) or 'none'}"
        return Finding("cameras", "warn", told, "look at the cameras' process")
    finally:
        reader.close()
    return Finding("cameras", "ok", ", ".join(seen) or "the body has none", "")


def wiggled(link: Link, joint: str, agreed: Callable[[str], bool]) -> Finding:
    """Move one joint by 2 degrees and back, under the eyes of a person, and compare what was measured."""
    spec = link.spec
    if joint not in spec.joint_names:
        return Finding("wiggle", "fail", f"there is no joint {joint!r}", f"one of: {', '.join(spec.joint_names)}")
    if not agreed(f"Stand by the arm. Type {joint} to move that joint by 2 degrees and back: "):
        return Finding("wiggle", "warn", "nobody agreed to it, nothing has moved", "type the joint's name when asked")
    body = RemoteBody(link)
    try:
        return _wiggle(body, spec.joint_names.index(joint))
    except KeyboardInterrupt:
        link.stop("Ctrl-C in the doctor")
        raise
    except (TandemError, Refused) as reason:
        return Finding("wiggle", "fail", f"{type(reason).__name__}: {reason}", "do what it says, then try again")
    finally:
        body.let_go()


def _wiggle(body: RemoteBody, i: int) -> Finding:
    spec, observation = body.spec, body.reset()[0]
    start = np.append(observation["joint_position"], observation["gripper_opening"])
    start = np.clip(start, spec.action.low, spec.action.high)
    span = spec.position_high[i] - spec.position_low[i]
    amount = (WIGGLE if span > 1.5 else 0.02 * span) * (1 if start[i] < spec.position_low[i] + span / 2 else -1)
    steps, farthest = round(WIGGLE_S * spec.control_hz), np.zeros(spec.dof)
    for k in range(1, 2 * steps + 1):
        action = start.copy()
        action[i] += amount * (1 - np.cos(np.pi * k / steps)) / 2
        observation = body.step(action)[0]
        moved = observation["joint_position"] - start[:-1]
        farthest = np.where(np.abs(moved) > np.abs(farthest), moved, farthest)
    others = np.delete(np.abs(farthest), i).max(initial=0.0)
    detail = f"{spec.joint_names[i]}: told {amount:+.4f}, moved {farthest[i]:+.4f}; others by up to {others:.4f}"
    if abs(farthest[i] - amount) < 0.25 * abs(amount) and others < 0.25 * abs(amount):
        return Finding("wiggle", "ok", detail, "")
    return Finding("wiggle", "fail", detail, "names, signs or units are not the arm's own: correct the specification")
