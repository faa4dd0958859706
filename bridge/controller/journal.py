"""A core that keeps what it is told and what it says: enough to run it again, byte for byte."""

from __future__ import annotations

from typing import Any

import msgpack
import numpy as np

from tandem.bridge.contract.spec import BodySpec
from tandem.bridge.controller.core import Controller, Tick
from tandem.bridge.controller.options import Limits
from tandem.bridge.controller.relay import pack_incoming, unpack_incoming
from tandem.bridge.controller.traffic import Incoming
from tandem.bridge.drivers.driver import Measured

BEGIN, RECEIVE, ANSWERED, FAILED = "begin", "receive", "answered", "failed"
SHUT_DOWN, SERVO, TICK = "quit", "servo", "tick"


class JournaledController(Controller):
    """A `Controller`; `take_journal` gives the calls since the last time, as bytes."""

    def __init__(self, spec: BodySpec, limits: Limits, *, session: str, hello: dict[str, Any],
                 extensions: tuple[str, ...], collisions: bool):
        super().__init__(spec, limits, session=session, hello=hello, extensions=extensions, collisions=collisions)
        self._calls: list[list[Any]] = [[BEGIN, {
            "spec": spec.to_dict(), "limits": {name: getattr(limits, name) for name in limits.__dataclass_fields__},
            "session": session, "hello": hello, "extensions": list(extensions), "collisions": collisions,
        }]]

    def receive(self, incoming: Incoming, now: int) -> None:
        """As `Controller.receive`."""
        self._calls.append([RECEIVE, now, pack_incoming(incoming)])
        super().receive(incoming, now)

    def answered(self, number: int, value: Any, error: str, now: int) -> None:
        """As `Controller.answered`."""
        self._calls.append([ANSWERED, now, number, value, error])
        super().answered(number, value, error, now)

    def failed(self, words: str, now: int) -> None:
        """As `Controller.failed`."""
        self._calls.append([FAILED, now, words])
        super().failed(words, now)

    def shut_down(self, words: str, now: int) -> None:
        """As `Controller.shut_down`."""
        self._calls.append([SHUT_DOWN, now, words])
        super().shut_down(words, now)

    def note_servo(self, figures: dict[str, Any]) -> None:
        """As `Controller.note_servo`."""
        self._calls.append([SERVO, figures])
        super().note_servo(figures)

    def tick(self, now: int, measured: Measured, *, late: int = 0, worst: int = 0) -> Tick:
        """As `Controller.tick`."""
        tick = super().tick(now, measured, late=late, worst=worst)
        self._calls.append([TICK, now, [
            measured.position.tobytes(), measured.velocity.tobytes(), float(measured.opening), measured.t,
            measured.generation, measured.fault,
        ], late, worst, [outgoing.frame for outgoing in tick.out]])
        return tick

    def take_journal(self) -> bytes:
        """One msgpack array of calls, in order."""
        calls, self._calls = self._calls, []
        return msgpack.packb(calls)


def begun(call: list[Any]) -> Controller:
    """A new core as the journal's first call says."""
    told = call[1]
    return Controller(
        BodySpec.from_dict(told["spec"]), Limits(**told["limits"]), session=told["session"], hello=told["hello"],
        extensions=tuple(told["extensions"]), collisions=told["collisions"],
    )


def again(core: Controller, call: list[Any]) -> list[bytes] | None:
    """One call once more; what comes out of a tick, None for any other."""
    match call:
        case [str(kind), int(now), list(frames)] if kind == RECEIVE:
            core.receive(unpack_incoming(frames), now)
        case [str(kind), now, number, value, error] if kind == ANSWERED:
            core.answered(number, value, error, now)
        case [str(kind), now, words] if kind == FAILED:
            core.failed(words, now)
        case [str(kind), now, words] if kind == SHUT_DOWN:
            core.shut_down(words, now)
        case [str(kind), figures] if kind == SERVO:
            core.note_servo(figures)
        case [str(kind), now, [position, velocity, *rest], late, worst, _] if kind == TICK:
            measured = Measured(np.frombuffer(position), np.frombuffer(velocity), *rest)
            return [outgoing.frame for outgoing in core.tick(now, measured, late=late, worst=worst).out]
    return None
