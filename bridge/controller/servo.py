"""The servo process: a loop that owns the driver and the controller's core, and waits for nobody.

It stands in a process of its own, because a thread beside it would take the interpreter from it for milliseconds. It
asks for real-time scheduling and goes on without; how regular it is, every state message tells.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import inspect
import os
import signal
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any

import zmq

from tandem.bridge.contract.errors import InvalidOption, TandemError
from tandem.bridge.controller.core import Controller, Question, Tick
from tandem.bridge.controller.jitter import Jitter
from tandem.bridge.controller.journal import JournaledController
from tandem.bridge.controller.options import Limits, ns
from tandem.bridge.controller.realtime import ORDINARY, realtime
from tandem.bridge.controller.relay import JOURNAL, QUIT, pack_outgoing, pair, unpack_incoming
from tandem.bridge.drivers.driver import Driver, DriverFault, Measured
from tandem.bridge.drivers.guarded import MEMBERS, GuardedDriver
from tandem.bridge.wire.kinds import Port

FRAMES_PER_TICK = 16
CHECKS_EVERY = 50  # ticks: whether the gateway is still there, figures for status
DRIVERS = {"dummy": "tandem.bridge.drivers.dummy:DummyDriver", "sim": "tandem.sim.plant.driver:SimDriver"}


@dataclass(frozen=True)
class Order:
    """What a servo process is started with; plain types, it travels as JSON.

    Attributes:
        driver: "dummy", "sim" or "module:Class".
        options: of the driver, by name.
        limits: fields of `Limits`.
        session: of this start.
        hello: what hello tells of sockets and security.
        pipe: ipc endpoint of the gateway.
        stop_pipe: ipc endpoint of the gateway's stop thread.
        media: ipc endpoint for pictures.
        collisions: look ahead for collisions.
        realtime: ask for real-time scheduling and processors that stay awake.
        journal: tell the gateway what the core is told and says, for a capture.
    """

    driver: str
    options: dict[str, Any]
    limits: dict[str, float]
    session: str
    hello: dict[str, Any]
    pipe: str
    stop_pipe: str
    media: str
    collisions: bool = True
    realtime: bool = True
    journal: bool = False
    gateway: int = field(default_factory=os.getpid)


def load_driver(name: str, options: dict[str, Any], **offered: Any) -> Driver:
    """A driver by its name. Raises `InvalidOption` naming what would have worked.

    Args:
        name: "dummy", "sim" or "module:Class".
        options: for its constructor.
        offered: given to it as well if it takes them: `media` (where its cameras send pictures) and `session`.
    """
    path = DRIVERS.get(name, name)
    module, _, kind = path.partition(":")
    if not kind:
        raise InvalidOption(f"unknown driver {name!r}. Known: {', '.join(DRIVERS)}, or module:Class of your own")
    try:
        make = getattr(importlib.import_module(module), kind)
        known = inspect.signature(make).parameters
        driver = make(**options, **{name: value for name, value in offered.items() if name in known})
    except (ImportError, AttributeError, TypeError) as reason:
        raise InvalidOption(f"driver {name!r} cannot be made: {reason}") from reason
    if missing := [member for member in MEMBERS if not hasattr(driver, member)]:
        raise InvalidOption(f"driver {name!r} has no {', '.join(missing)}; see tandem.bridge.drivers.driver")
    return driver


class Servo:
    """The loop.

    Args:
        order: what to do.
        driver: connected.
    """

    def __init__(self, order: Order, driver: GuardedDriver):
        self._order, self._driver = order, driver
        limits = Limits(**order.limits)
        self._period, self._jitter = ns(limits.tick_s), Jitter(ns(limits.tick_s))
        hello = order.hello | {"about": order.hello.get("about", {}) | driver.about}
        kind = JournaledController if order.journal else Controller
        self._core = kind(
            driver.spec, limits, session=order.session, hello=hello, extensions=tuple(driver.extensions),
            collisions=order.collisions,
        )
        context = zmq.Context()
        self._pipe, self._stop_pipe = (pair(context, end, bind=False) for end in (order.pipe, order.stop_pipe))
        self._measured: Measured | None = None
        self._quitting = self._owes_stop = False
        self._told = ""
        self._scheduling = ORDINARY

    def run(self) -> None:
        """Turn until the gateway says quit or is gone; the arm stands when this returns."""
        with realtime() if self._order.realtime else contextlib.nullcontext(ORDINARY) as self._scheduling:
            gc.collect()
            gc.freeze()
            gc.disable()
            self._loop()
            gc.unfreeze()
            gc.enable()

    def _loop(self) -> None:
        deadline, turns = time.monotonic_ns(), 0
        while not (self._quitting and self._core.motion.standing):
            deadline = max(deadline + self._period, time.monotonic_ns() - self._period)
            time.sleep(max(0, deadline - time.monotonic_ns()) * 1e-9)
            now = time.monotonic_ns()
            self._jitter.turn(now)
            self._turn(now)
            turns += 1
            if turns % CHECKS_EVERY == 0:
                self._check(now)

    def _turn(self, now: int) -> None:
        core, driver = self._core, self._driver
        self._take(self._stop_pipe, now)
        self._take(self._pipe, now)
        try:
            for answer in driver.answers():
                core.answered(*answer, now)
            self._measured = driver.read()
        except DriverFault as reason:
            core.failed(str(reason), now)
            self._say_why_not_ready(str(reason))
        if self._measured is None:
            return
        tick = core.tick(now, self._measured, late=self._jitter.late, worst=self._jitter.worst)
        self._carry_out(tick, now)
        for outgoing in tick.out:
            pipe = self._stop_pipe if outgoing.port is Port.STOP else self._pipe
            with contextlib.suppress(zmq.Again):  # a gateway that does not read: counted there as a gap in seq
                pipe.send_multipart(pack_outgoing(outgoing), zmq.NOBLOCK)
        if self._order.journal:
            with contextlib.suppress(zmq.Again):
                self._pipe.send_multipart([JOURNAL, self._core.take_journal()], zmq.NOBLOCK)

    def _say_why_not_ready(self, words: str) -> None:
        """Before the first measurement there is no state and no fault that anybody could be told."""
        if self._measured is None and words != self._told:
            self._told = words
            print(f"no measurement yet: {words}", file=sys.stderr, flush=True)  # noqa: T201 the gateway's own stderr

    def _carry_out(self, tick: Tick, now: int) -> None:
        self._owes_stop |= tick.stop
        try:
            if self._owes_stop:
                self._driver.stop()
                self._owes_stop = False  # one that failed is owed at the next turn, too
            elif tick.setpoint is not None:
                self._driver.write(tick.setpoint)
        except DriverFault as reason:
            self._core.failed(str(reason), now)
        for question in tick.questions:
            self._ask(question, now)

    def _ask(self, question: Question, now: int) -> None:
        try:
            self._driver.ask(question.number, question.question, question.arguments)
        except DriverFault as reason:
            self._core.failed(str(reason), now)
            self._core.answered(question.number, None, str(reason), now)

    def _take(self, pipe: zmq.Socket, now: int) -> None:
        for _ in range(FRAMES_PER_TICK):
            try:
                frames = pipe.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            if frames == [QUIT]:
                self._quit("the controller is shut down", now)
            else:
                self._core.receive(unpack_incoming(frames), now)

    def _quit(self, words: str, now: int) -> None:
        self._quitting = True
        self._core.shut_down(words, now)

    def _check(self, now: int) -> None:
        figures = {"scheduling": self._scheduling, "driver_us": round(self._driver.busy_us(), 1)}
        self._core.note_servo({**self._jitter.to_wire(), **figures})
        if not self._quitting and os.getppid() != self._order.gateway:
            self._quit("the gateway is gone", now)


def serve(**order: Any) -> None:
    """What the process does: make and connect the driver, turn, and leave the arm as its stop leaves it."""
    for number in (signal.SIGINT, signal.SIGTERM):  # which reach the whole group: the gateway says when
        signal.signal(number, signal.SIG_IGN)
    order = Order(**order)
    driver = GuardedDriver(load_driver(order.driver, order.options, media=order.media, session=order.session))
    try:
        driver.connect()
        Servo(order, driver).run()
    finally:
        with contextlib.suppress(DriverFault):
            driver.stop()
        driver.disconnect()


def main(text: str) -> int:
    """Entry point of the process; a mistake of the user's is one line."""
    import json

    try:
        serve(**json.loads(text))
        return 0
    except TandemError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201 the gateway's own stderr
        return 2


def plain_order(order: Order) -> dict[str, Any]:
    """As JSON carries it."""
    return asdict(order)

