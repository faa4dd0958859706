"""Any body behind the bridge in lockstep: it moves when it is asked to and waits otherwise. For simulations.

The same hello, leases, roles and refusals as in real time; no servo, no shaping, no clock: an episode over the wire is
the episode in process, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tandem.bridge.contract.episode import Event
from tandem.bridge.contract.errors import TandemError
from tandem.bridge.contract.interfaces import Body
from tandem.bridge.contract.observation import (
    GRIPPER_OPENING,
    JOINT_POSITION,
    JOINT_VELOCITY,
    TIME,
    TOOL_POSE,
    Observation,
    layout,
)
from tandem.bridge.controller.admission import admit, number_of
from tandem.bridge.controller.lease import Lease, Leases
from tandem.bridge.controller.options import Limits, ns
from tandem.bridge.controller.outbox import Outbox
from tandem.bridge.controller.traffic import Incoming, Outgoing
from tandem.bridge.safety.age import check_sequence
from tandem.bridge.safety.order import ordered
from tandem.bridge.wire.kinds import VERSION
from tandem.bridge.wire.message import Message
from tandem.bridge.wire.refusal import Refusal, Refused

Ask = Callable[[str, Mapping[str, Any]], Any]
LEASE_S = 60.0  # nothing moves by itself, and whoever thinks for long on the thread that renews shall not lose it


class LockstepController:
    """See the module.

    Args:
        body: what moves.
        session: text that no other start of a controller has.
        hello: what it tells besides: `ports`, `security`, `about`.
        ask: answers questions (ground truth); None for a body without.
    """

    def __init__(self, body: Body, *, session: str, hello: dict[str, Any], ask: Ask | None = None):
        self._body, self._ask_body, self._hello_fields = body, ask, hello
        self._limits = Limits(lease_s=LEASE_S, fault_s=2 * LEASE_S)
        self._leases, self._epoch = Leases(ns(LEASE_S)), 1
        self.outbox = Outbox(session, lambda: (self._epoch, self._token()))
        self._observation: Observation | None = None
        self._noticed: list[Event] = []
        self._fault, self._faults, self._now = "", 0, 0
        self._handlers: dict[str, Callable[[Incoming, Message], None]] = {
            "hello": self._hello, "ping": self._ping, "acquire": self._acquire, "renew": self._renew,
            "release": self._release, "clear": self._clear, "status": self._status, "reset": self._reset,
            "step": self._step, "look": self._look, "ask": self._ask, "stop": self._stop,
        }

    def notice(self, event: Event) -> None:
        """What the body reports beside its observations; told with the step that it belongs to."""
        self._noticed.append(event)

    def receive(self, incoming: Incoming, now: int) -> list[Outgoing]:
        """Look at one frame; what is said to it."""
        self._now = now
        if self._leases.expired(now):
            self._leases.release()
            self._epoch += 1
        try:
            message = admit(incoming, self.outbox.session)
            if message.kind not in self._handlers:
                raise Refused(Refusal.NOT_OFFERED, f"{message.kind} is for real time; this body moves in lockstep")
            self._handlers[message.kind](incoming, message)
        except Refused as reason:
            self.outbox.refuse(incoming, number_of(incoming.frame), reason, now)
        except TandemError as reason:
            refused = Refused(Refusal.INVALID, f"{type(reason).__name__}: {reason}")
            self.outbox.refuse(incoming, number_of(incoming.frame), refused, now)
        return self.outbox.take()

    def done(self, now: int) -> None:
        """What `receive` did took until now: nobody could be heard meanwhile, so no lease grows older by it."""
        if self._leases.holder is not None:
            self._leases.holder.heard += now - self._now

    @property
    def _mode(self) -> str:
        if self._fault:
            return "FAULT"
        return "READY" if self._leases.holder is None else "LEASED" if self._observation is None else "HOLDING"

    def _token(self) -> int:
        return self._leases.holder.token if self._leases.holder else 0

    def _answer(self, incoming: Incoming, message: Message, kind: str, *, attached: bytes | None = None, **fields: Any):
        self.outbox.send(
            incoming.port, incoming.route, kind, self._now, attached=attached, id=message["id"], **fields
        )

    def _holder(self, incoming: Incoming, message: Message) -> Lease:
        lease = self._leases.check(incoming.peer, message.lease)
        self._check_fault()
        lease.heard = self._now
        return lease

    def _check_fault(self) -> None:
        if self._fault:
            raise Refused(Refusal.FAULTED, f"fault {self._faults}: {self._fault}")

    def _check_epoch(self, message: Message) -> None:
        if message.epoch != self._epoch:
            raise Refused(Refusal.STALE_EPOCH, f"epoch {message.epoch}, now is {self._epoch}")

    def _hello(self, incoming: Incoming, message: Message) -> None:
        if VERSION not in message["versions"]:
            raise Refused(Refusal.UNSUPPORTED_VERSION, f"versions {message['versions']}, this side speaks {VERSION}")
        spec, offers = self._body.spec, ("lockstep", "reset") + (("ask",) if self._ask_body else ())
        self._answer(
            incoming, message, "welcome", version=VERSION, role=str(incoming.peer.role), name=incoming.peer.name,
            mode=self._mode, spec=spec.to_dict(), digest=spec.digest(), limits=self._limits.to_wire(),
            extensions=offers, **self._hello_fields,
        )

    def _ping(self, incoming: Incoming, message: Message) -> None:
        self._answer(incoming, message, "pong", received=self._now)

    def _acquire(self, incoming: Incoming, message: Message) -> None:
        self._check_fault()
        self._leases.acquire(incoming.peer, message["name"], self._now, force=message["force"])
        self._epoch, self._observation = self._epoch + 1, None
        self._answer(incoming, message, "granted", expires=self._now + ns(LEASE_S))

    def _renew(self, incoming: Incoming, message: Message) -> None:
        self._leases.check(incoming.peer, message.lease).heard = self._now
        self._answer(incoming, message, "renewed", mode=self._mode, expires=self._now + ns(LEASE_S))

    def _release(self, incoming: Incoming, message: Message) -> None:
        self._leases.check(incoming.peer, message.lease)
        self._leases.release()
        self._epoch, self._observation = self._epoch + 1, None
        self._answer(incoming, message, "released")

    def _clear(self, incoming: Incoming, message: Message) -> None:
        if not self._fault or message["fault"] != self._faults:
            raise Refused(Refusal.NO_SUCH_FAULT, f"fault {message['fault']}")
        self._fault, self._epoch = "", self._epoch + 1
        self._leases.release()
        self._answer(incoming, message, "cleared")

    def _status(self, incoming: Incoming, message: Message) -> None:
        fault = {"number": self._faults, "code": "STOP_REQUESTED", "detail": self._fault} if self._fault else {}
        holder = self._leases.holder.name if self._leases.holder else ""
        self._answer(incoming, message, "report_status", mode=self._mode, fault=fault, holder=holder, servo={})

    def _stop(self, incoming: Incoming, message: Message) -> None:
        if not self._fault:
            self._faults, self._epoch = self._faults + 1, self._epoch + 1
            self._fault = f"{incoming.peer.name}: {message['reason'] or 'no reason given'}"
        self._answer(incoming, message, "stopping", fault=self._faults)

    def _ask(self, incoming: Incoming, message: Message) -> None:
        if self._ask_body is None:
            raise Refused(Refusal.NOT_OFFERED, "this body answers no questions")
        self._answer(incoming, message, "answer", value=self._ask_body(message["question"], message["arguments"]))

    def _reset(self, incoming: Incoming, message: Message) -> None:
        self._holder(incoming, message)
        options = dict(message["options"])
        seed = options.pop("seed", None)
        self._noticed.clear()
        self._observation, info = self._body.reset(seed=seed, options=options)
        self._epoch += 1
        self._answer(incoming, message, "ready", info=info | {"first": _measured(self._observation)})

    def _step(self, incoming: Incoming, message: Message) -> None:
        lease = self._holder(incoming, message)
        self._check_epoch(message)
        check_sequence(message.seq, lease.seq)
        layout_ = self._body.spec.action.names
        rows = ordered(message["q"], message["names"], layout_)
        if len(rows) != 1:
            raise Refused(Refusal.WRONG_SHAPE, f"a step is one action, not {len(rows)}")
        self._observation, _, _, _, info = self._body.step(rows[0])
        lease.seq = message.seq
        events = [{"kind": str(e.kind), "time": e.time_s, "message": e.message, "data": dict(e.data)}
                  for e in self._noticed]
        self._noticed.clear()
        command = info.get("command", rows[0])
        self._answer(
            incoming, message, "stepped", **_measured(self._observation, plain=False), command=command, events=events
        )

    def _look(self, incoming: Incoming, message: Message) -> None:
        if message.epoch:  # it names the world that it means; an onlooker takes whichever there is
            self._check_epoch(message)
        key = message["key"]
        if self._observation is None or key not in layout(self._body.spec) or "." not in key:
            raise Refused(Refusal.INVALID, f"there is no picture {key!r} now")
        picture = np.ascontiguousarray(self._observation[key])
        self._answer(
            incoming, message, "picture", key=key, dtype=picture.dtype.newbyteorder("<").str, shape=picture.shape,
            attached=picture.tobytes(),
        )


def _measured(observation: Observation, *, plain: bool = True) -> dict[str, Any]:
    fields = {
        "time": observation[TIME], "position": observation[JOINT_POSITION], "velocity": observation[JOINT_VELOCITY],
        "opening": observation[GRIPPER_OPENING], "tool": observation[TOOL_POSE],
    }
    return {name: np.asarray(value, "<f8").tobytes() for name, value in fields.items()} if plain else fields
