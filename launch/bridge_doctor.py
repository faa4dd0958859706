"""What an episode needs of a controller: findings for each hop between here and the arm, with the remedy.

Used by `doctor.py --body`. Nothing is moved but by `--wiggle`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import zmq
from doctoring import body, hello, hops, reach, standing
from doctoring.cameras import cameras
from doctoring.clock import clock
from doctoring.keyring import guard, key_files
from doctoring.loop import servo_loop
from doctoring.progress import Show, nowhere
from doctoring.stream import stream
from doctoring.wiggle import Agreed, wiggle
from machine import Finding

from tandem.bridge.client import Contact, Link
from tandem.bridge.contract import InvalidOption, TandemError

Check = Callable[[], Iterator[Finding]]


@dataclass(frozen=True)
class Examination:
    """Which controller is looked at, as whom, and how long.

    Attributes:
        endpoint: tcp://HOST:PORT of its control socket.
        keys: folder of keys, None for plain.
        key: name of this side's key.
        wiggle: joint to move by 2 degrees and back, None for none.
        pings: round trips of each hop.
        clock_s: over which the drift is measured.
        stream_s: for which the state stream is listened to.
        picture_s: in which each picture must come.
    """

    endpoint: str
    keys: Path | None = None
    key: str = "commander"
    wiggle: str | None = None
    pings: int = 300
    clock_s: float = 2.0
    stream_s: float = 3.0
    picture_s: float = 3.0


def nobody(question: str) -> bool:
    """Nobody stands by."""
    return False


def examine_body(asked: Examination, *, agreed: Agreed = nobody, show: Show = nowhere) -> Iterator[Finding]:
    """Each finding as it is made; after one that makes the rest impossible, no more.

    Args:
        asked: what.
        agreed: asks a person who stands by, with the words of the question.
        show: progress of the longer measurements.
    """
    try:
        there = Contact.at(asked.endpoint)
    except InvalidOption as reason:
        yield Finding("reach", "fail", str(reason), "give --body as the controller prints it when it starts")
        return
    yield (files := key_files(asked.keys, asked.key, there.host))
    reached, mechanism = reach.reach(there.host, there.port)
    yield reached
    if "fail" in (files.status, reached.status):
        return
    yield (guarded := guard(mechanism, asked.keys, there.host))
    if guarded.status == "fail":
        return
    link = hello.connect(Contact.at(asked.endpoint, keys=asked.keys, key=asked.key))
    if isinstance(link, Finding):
        yield link
        return
    try:
        yield from _through(link, asked, agreed, show)
    finally:
        link.close()


def _through(link: Link, asked: Examination, agreed: Agreed, show: Show) -> Iterator[Finding]:
    for name, check in _checks(link, asked, agreed, show).items():
        try:
            yield from check()
        except (TandemError, zmq.ZMQError) as reason:
            show(name, 1.0)
            yield hello.explained(name, reason)


def _checks(link: Link, asked: Examination, agreed: Agreed, show: Show) -> dict[str, Check]:
    """In order; what a body in lockstep does not have is not asked for."""
    real_time = "lockstep" not in link.extensions
    measured: dict[str, Check] = {
        "to servo": lambda: hops.to_servo(link, asked.pings, show),
        "states": lambda: stream(link, asked.stream_s, show),
        "servo loop": lambda: servo_loop(link),
        "cameras": lambda: cameras(link, asked.picture_s, show),
    }
    moved: dict[str, Check] = {"wiggle": lambda: wiggle(link, asked.wiggle, agreed, show)} if asked.wiggle else {}
    return {
        "hello": lambda: hello.role(link, asked.keys, asked.key),
        "ports": lambda: reach.ports(link),
        "controller": lambda: hello.controller(link),
        "mode": lambda: standing.mode(link),
        "lease": lambda: standing.lease(link),
        "clock": lambda: clock(link, asked.clock_s, show),
        "to gateway": lambda: hops.to_gateway(link, asked.pings, show),
        **(measured if real_time else {"lockstep": lambda: _waits(asked)}),
        "names": lambda: body.names(link.spec),
        "limits": lambda: body.limits(link.spec),
        "kinematics": lambda: body.kinematics(link.spec),
        **(moved if real_time else {}),
    }


def _waits(asked: Examination) -> Iterator[Finding]:
    detail = "it waits for each action: no servo, no state stream, pictures on demand; none of them to be measured"
    yield Finding("lockstep", "ok", detail)
    if asked.wiggle is not None:
        yield Finding("wiggle", "warn", "nothing has moved: a body in lockstep moves only by its own steps",
                      "start the controller without --lockstep")
